%% Enables rabbitmq_mqtt after the broker has started, on one broker of the cluster at a time. Start the broker without
%% the plugin, and with `-run file script start-mqtt.erl`.
%%
%% RabbitMQ before 3.12 keeps the ids of MQTT clients in a Raft group of the plugin. If brokers start the plugin at the
%% same time, some may stay out of the group permanently. The group then loses its leader when another broker ends.
%% A broker that starts again waits 100 s for a leader before it accepts any client, including AMQP clients. If all
%% brokers start again at once, they wait for each other. So the brokers start the plugin one at a time, and each first
%% deletes its own old state of the group: then each finds a group with a leader. Nothing is lost, because the ids
%% belong to connections, which ended with the broker. RabbitMQ 3.12 and later have no such group.
%%
%% Since 3.13 a packet may contain user properties, even millions of them. So this script limits the size of a packet.
%% Older series have neither this setting nor user properties.
spawn(fun() ->
    Packet = 2 * 1048576,
    Enable = fun() ->
        ok = application:set_env(rabbitmq_mqtt, max_packet_size_authenticated, Packet, [{persistent, true}]),
        % A mote's name may contain a colon. RabbitMQ would take the part before it for a virtual host.
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
                % Deleting a server removes its name only if the server was started.
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
