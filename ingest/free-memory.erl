%% Takes memory back from clients that hold much of it. Start the broker with `-run file script free-memory.erl`.
%%
%% RabbitMQ keeps an incomplete message until its last byte arrives, the messages of a transaction until its commit, and
%% answers until the client reads them. It limits none of these.
%%
%% Small frames, messages and answers take many times their size on the heaps of its processes. A well-behaved client
%% needs little heap. So this script ends the connections that need much.
%%
%% The bytes of large messages are not on a heap. A client that publishes faster than its queue accepts may make RabbitMQ
%% hold 400 messages, several GiB. A client that waits for confirms needs little: the project's programs leave 8 MiB
%% unconfirmed. So this script also ends the connections with more than 256 MiB.
%%
%% Many clients may run out of memory together. RabbitMQ then stops reading from all clients that publish, including those
%% that hold the memory, so it would never get it back. While that alarm lasts, this script ends the connection that holds
%% most, one a second, as long as one holds more than a message of the largest size. No confirmed message is lost, because
%% confirmed messages are not held there any more.
spawn(fun() ->
    Kinds = [rabbit_reader, rabbit_mqtt_reader, rabbit_channel, rabbit_writer],
    Mebibyte = 1048576,
    Heap = 64 * Mebibyte,
    Coming = 256 * Mebibyte,
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
    Consumes = fun(Channel) ->
        lists:any(fun(Row) -> element(2, element(1, Row)) =:= Channel end, ets:tab2list(consumer_created))
    end,
    %% What a client publishes, not what a consumer has asked for.
    Incoming = fun(Pid) ->
        Bytes = case Kind(Pid) of rabbit_writer -> 0; _Other -> Whole(Pid) end,
        case Bytes > Coming andalso Consumes(Pid) of true -> 0; false -> Bytes end
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
    EndAll = fun(processes) -> lists:foreach(End, Above([Pid || Pid <- processes(), OnHeap(Pid) > Heap], OnHeap, Heap));
                (binary) -> lists:foreach(End, Above(processes(), Incoming, Coming))
    end,
    EndLargest = fun() ->
        {ok, Message} = application:get_env(rabbit, max_message_size),
        lists:foreach(End, lists:sublist(Above(processes(), Whole, Message + Mebibyte), 1))
    end,
    %% There may be 100,000 processes, so they are looked at only if this kind of memory has grown. The calls may fail:
    %% RabbitMQ may be stopped, in a minority of the cluster.
    Look = fun({Memory, Most, Before}) ->
        Grown = erlang:memory(Memory) > Before + Most,
        _ = (catch Grown andalso EndAll(Memory)),
        Now = erlang:memory(Memory),
        {Memory, Most, case Grown of true -> Now; false -> min(Before, Now) end}
    end,
    Watch = fun Watch(Memories) ->
        timer:sleep(1000),
        _ = (catch Short() andalso EndLargest()),
        Watch([Look(Each) || Each <- Memories])
    end,
    Watch([{Memory, Most, erlang:memory(Memory)} || {Memory, Most} <- [{processes, Heap}, {binary, Coming div 2}]])
end).
