%% Starts the virtual hosts that are down on this node. Start the broker with `-run file script start-vhosts.erl`.
%%
%% When a virtual host is made, RabbitMQ 3.10 starts it on the nodes that run. When a node starts, it starts the
%% existing virtual hosts. If the nodes of a new cluster start together, one may make the virtual host after another has
%% passed this step and before it runs. On that node the virtual host then stays down: the node refuses every
%% connection. It also stays down if its processes end because of an error.
spawn(fun() ->
    Start = fun(Host) ->
        rabbit_log:warning("the virtual host ~s is down on this node; starting it", [Host]),
        case catch rabbit_vhost_sup_sup:start_vhost(Host, node()) of
            {ok, _Supervisor} -> ok;
            ok -> ok;
            Why -> rabbit_log:error("the virtual host ~s cannot be started: ~p", [Host, Why])
        end
    end,
    Watch = fun Watch() ->
        % RabbitMQ is stopped while this node is in a minority.
        _ = (catch [Start(Host) || rabbit:is_running(), Host <- rabbit_vhost:list_names(),
                                   not rabbit_vhost_sup_sup:is_vhost_alive(Host)]),
        timer:sleep(2000),
        Watch()
    end,
    ok = rabbit:await_startup(),
    Watch()
end).
