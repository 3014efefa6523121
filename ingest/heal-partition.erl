%% Restarts a broker whose database is separated from that of its peers. Start the broker with
%% `-run file script heal-partition.erl`.
%%
%% If the connections between brokers break and return at once, each side's Mnesia considers the other one partitioned
%% and no longer copies queues and bindings to it. `pause_minority` does nothing, because no broker is missing. Then a
%% message that enters at one broker does not reach a queue that was bound at the other one, until a broker restarts.
%% This script restarts one broker of such a cluster: the one that is separated from most peers, and of several, the one
%% with the last name. It waits until all these peers answer, because a broker cannot rejoin peers that it cannot reach.
spawn(fun() ->
    %% Returns [{Node, the peers that it considers partitioned}] for each running broker.
    Look = fun() -> rabbit_node_monitor:partitions(mnesia:system_info(db_nodes)) end,
    Loser = fun(Views) ->
        case lists:reverse(lists:sort([{length(Peers), Node, Peers} || {Node, [_ | _] = Peers} <- Views])) of
            [] -> none;
            [{_, Node, Peers} | _] ->
                case Peers -- [Each || {Each, _} <- Views] of
                    [] -> Node;
                    _Silent -> none
                end
        end
    end,
    Restart = fun() ->
        rabbit_log:error("this broker's database is separated from ~p; restarting the broker to join them again",
                         [rabbit_node_monitor:partitions()]),
        rabbit_node_monitor:run_outside_applications(fun() ->
            rabbit:stop(),
            rabbit:start()
        end, true)
    end,
    Watch = fun Watch(Before) ->
        timer:sleep(5000),
        %% If the broker is starting or stopping, this fails, and the next round tries again.
        Now = case catch Loser(Look()) of
            {'EXIT', _} -> none;
            Found -> Found
        end,
        case Now =:= node() andalso Before =:= node() of
            true ->
                Restart(),
                Watch(none);
            false ->
                Watch(Now)
        end
    end,
    Watch(none)
end).
