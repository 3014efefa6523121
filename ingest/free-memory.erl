%% Takes memory back from clients that hold much of it. Start the broker with `-run file script free-memory.erl`.
%%
%% RabbitMQ keeps an incomplete message until its last byte arrives, the messages of a transaction until its commit, and
%% answers until the client reads them. It limits none of these.
%%
%% Small frames, messages and answers take many times their size on the heaps of its processes. A well-behaved client
%% needs little heap. So this script ends the connections that need much.
%%
%% The bytes of large messages are not on a heap. A client may hold many of them until memory runs out. RabbitMQ then
%% stops reading from all clients that publish, including the one that holds the memory, so it would never get it back.
%% While that alarm lasts, this script ends the connection that holds most, one a second, as long as one holds more than a
%% message of the largest size. No confirmed message is lost, because confirmed messages are not held there any more.
spawn(fun() ->
    Kinds = [rabbit_reader, rabbit_mqtt_reader, rabbit_channel, rabbit_writer],
    Mebibyte = 1048576,
    Heap = 64 * Mebibyte,
    Kind = fun(Pid) -> element(1, proc_lib:translate_initial_call(Pid)) end,
    Short = fun() -> lists:keymember({resource_limit, memory, node()}, 1, rabbit_alarm:get_alarms()) end,
    OnHeap = fun(Pid) ->
        case process_info(Pid, memory) of {memory, Bytes} -> Bytes; undefined -> 0 end
    end,
    Whole = fun(Pid) ->
        case process_info(Pid, binary) of
            {binary, Binaries} -> OnHeap(Pid) + lists:sum([Bytes || {_, Bytes, _} <- lists:usort(Binaries)]);
            undefined -> 0
        end
    end,
    %% Lets an idle process free memory first: it may still refer to memory that it no longer needs.
    Held = fun(Pid, Size, Most) ->
        case Size(Pid) > Most andalso garbage_collect(Pid) of
            true -> Size(Pid);
            false -> 0
        end
    end,
    Known = fun(Table, Pid) -> lists:append([Infos || {_, Infos} <- ets:lookup(Table, Pid)]) end,
    %% Returns the connection to which a process of a client belongs.
    Connection = fun(Pid) ->
        Channel = case Kind(Pid) of
            rabbit_writer ->
                {dictionary, Entries} = process_info(Pid, dictionary),
                hd(rabbit_misc:find_child(hd(proplists:get_value('$ancestors', Entries)), channel));
            _Itself ->
                Pid
        end,
        proplists:get_value(connection, Known(channel_created, Channel), Channel)
    end,
    %% Returns the connections with a process that holds more than this, the largest first.
    Above = fun(Pids, Size, Most) ->
        Sizes = [{Held(Pid, Size, Most), Pid} || Pid <- Pids, lists:member(Kind(Pid), Kinds)],
        Largest = lists:reverse(lists:sort([{Bytes, Connection(Pid)} || {Bytes, Pid} <- Sizes, Bytes > Most])),
        lists:reverse(lists:keysort(1, lists:ukeysort(2, Largest)))
    end,
    End = fun({Bytes, Pid}) ->
        Infos = Known(connection_created, Pid),
        rabbit_log:warning("too much memory: user ~ts (~ts) holds ~b MiB of unfinished messages or unread answers, so its "
                           "connection ends",
                           [proplists:get_value(user, Infos, "?"), proplists:get_value(name, Infos, "?"), Bytes div Mebibyte]),
        exit(Pid, kill),
        %% The killed process cannot report its own end, and would count as a connection of its user for ever.
        rabbit_core_metrics:connection_closed(Pid),
        rabbit_event:notify(connection_closed, [{node, node()} | Infos])
    end,
    EndAll = fun() -> lists:foreach(End, Above([Pid || Pid <- processes(), OnHeap(Pid) > Heap], OnHeap, Heap)) end,
    EndLargest = fun() ->
        {ok, Message} = application:get_env(rabbit, max_message_size),
        lists:foreach(End, lists:sublist(Above(processes(), Whole, Message + Mebibyte), 1))
    end,
    %% There may be 100,000 processes, so they are examined only if the total size of the heaps has grown. The calls
    %% fail while RabbitMQ is stopped in a minority of the cluster.
    Watch = fun Watch(Before) ->
        timer:sleep(1000),
        Grown = erlang:memory(processes) > Before + Heap,
        _ = (catch Grown andalso EndAll()),
        _ = (catch Short() andalso EndLargest()),
        Now = erlang:memory(processes),
        Watch(case Grown of true -> Now; false -> min(Before, Now) end)
    end,
    Watch(erlang:memory(processes))
end).
