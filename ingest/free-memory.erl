%% Takes memory back from clients that hold much of it. The broker is to be started with `-run file script free-memory.erl`.
%%
%% RabbitMQ holds what has arrived of a message until its last byte is there, and the messages of a transaction until its
%% commit, and bounds neither. When its memory runs out, it stops reading from all clients that publish: also from the one
%% that holds the memory, so it would never get it back. While that alarm lasts, this script ends the connection that holds
%% most, one a second, as long as one holds more than a message of the largest size. What was confirmed is not there any more.
spawn(fun() ->
    Kinds = [rabbit_reader, rabbit_mqtt_reader, rabbit_channel],
    Mebibyte = 1048576,
    Short = fun() -> lists:keymember({resource_limit, memory, node()}, 1, rabbit_alarm:get_alarms()) end,
    Clients = fun() ->
        [Pid || Pid <- processes(), lists:member(element(1, proc_lib:translate_initial_call(Pid)), Kinds)]
    end,
    Size = fun(Pid) ->
        case process_info(Pid, binary) of
            {binary, Binaries} -> lists:sum([Bytes || {_, Bytes, _} <- lists:usort(Binaries)]);
            undefined -> 0
        end
    end,
    %% A process that did nothing for a while refers to what it no longer needs.
    Held = fun(Pid, Most) ->
        case Size(Pid) > Most andalso garbage_collect(Pid) of
            true -> Size(Pid);
            false -> 0
        end
    end,
    End = fun(Pid, Bytes) ->
        Known = lists:append([Infos || Table <- [connection_created, channel_created], {_, Infos} <- ets:lookup(Table, Pid)]),
        rabbit_log:warning("memory is short: user ~ts (~ts) holds ~b MiB of unfinished messages, so its connection ends",
                           [proplists:get_value(user, Known, "?"), proplists:get_value(name, Known, "?"), Bytes div Mebibyte]),
        exit(Pid, kill)
    end,
    Look = fun() ->
        {ok, Largest} = application:get_env(rabbit, max_message_size),
        case lists:reverse(lists:sort([{Held(Pid, Largest + Mebibyte), Pid} || Short(), Pid <- Clients()])) of
            [{Bytes, Pid} | _] when Bytes > Largest + Mebibyte -> End(Pid, Bytes);
            _NobodyHoldsMuch -> ok
        end
    end,
    Watch = fun Watch() ->
        timer:sleep(1000),
        _ = (catch Look()), % RabbitMQ may be stopped, in a minority of the cluster
        Watch()
    end,
    Watch()
end).
