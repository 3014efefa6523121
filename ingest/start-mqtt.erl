%% Enables rabbitmq_mqtt when the broker is up, one broker of the cluster at a time. The broker is to be started without
%% the plugin, and with `-run file script start-mqtt.erl`.
%%
%% RabbitMQ before 3.12 keeps the ids of MQTT's clients in a Raft group of the plugin. Brokers that start the plugin at the same
%% time leave each other out of the group, for good: when another one ends it has no leader. A broker that comes back
%% waits 100 s for a leader before it takes any client, AMQP's too; when all come back at once, they wait for each other.
%% One at a time, and without what it knew of the group before, each finds a group that has a leader. The ids are of
%% connections, which have ended with the broker, so nothing is lost with them. Since 3.12 there is no such group.
%%
%% Since 3.13 a packet may carry user properties, millions of them. All of a packet has a bound here; older series know no such
%% setting, and have no properties.
spawn(fun() ->
    Packet = 2 * 1048576,
    Enable = fun() ->
        ok = application:set_env(rabbitmq_mqtt, max_packet_size_authenticated, Packet, [{persistent, true}]),
        % A mote's name may have a colon: what stands before one would be taken for a virtual host.
        ok = application:set_env(rabbitmq_mqtt, ignore_colons_in_username, true, [{persistent, true}]),
        {ok, File} = application:get_env(rabbit, enabled_plugins_file),
        {ok, [Plugins]} = file:consult(File),
        ok = file:write_file(File, io_lib:format("~p.~n", [lists:usort([rabbitmq_mqtt | Plugins])])),
        {ok, _Started, _Stopped} = rabbit_plugins:ensure(File)
    end,
    ForgetGroup = fun() ->
        {ok, Version} = application:get_key(rabbit, vsn),
        case [list_to_integer(Each) || Each <- lists:sublist(string:tokens(Version, ".+-"), 2)] < [3, 12] of
            true ->
                Server = {mqtt_node, node()},
                % Only of one that was started is the name deleted with the rest.
                _ = ra:restart_server(coordination, Server),
                _ = ra:force_delete_server(coordination, Server);
            false ->
                ok
        end
    end,
    try
        ok = rabbit:await_startup(),
        ForgetGroup(),
        global:trans({rabbitmq_mqtt, self()}, Enable)
    catch
        _:Reason ->
            rabbit_log:error("rabbitmq_mqtt cannot be started, so the broker ends: ~p", [Reason]),
            init:stop(1)
    end
end).
