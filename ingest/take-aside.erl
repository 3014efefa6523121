%% Moves messages that no client can receive from the partitions' queues to ir.rejected. RabbitMQ accepts topics of more
%% than 255 bytes over MQTT. When it should deliver such a message over AMQP, it closes the client's connection. Start
%% the broker with `-run file script take-aside.erl`.
%%
%% A worker whose connection for partition N was closed requests this: it publishes the message "aside N" to the
%% exchange ir.workers, and does not consume the queue for a moment. The broker with the queue's leader then reads the
%% first messages of the queue with an internal consumer, which receives them as Erlang terms. A message that cannot be
%% encoded in AMQP goes to ir.rejected with the same body. Its headers are `reason`, `routing-key` (complete, as legible
%% text: common/legible.h), `ir-arrival`, and `headers`: the original headers, as far as they can be encoded. The
%% message is acknowledged only after ir.rejected has confirmed it. All other messages return to the head of the queue,
%% in their order. For each moved message the broker publishes "took N KEY" to the same exchange.
spawn(fun() ->
    Host = <<"/">>,
    Workers = <<"ir.workers">>,
    Rejected = <<"ir.rejected">>,
    Window = 64,           % messages; a worker prefetches no more than this from a suspected queue
    Bytes = 64 * 1048576,  % limit for their bodies together
    Large = 2 * 1048576,   % properties above this are too large for a worker (broker/connection.c)

    Open = fun() ->
        {ok, Connection} = amqp_connection:start({amqp_params_direct, none, none, Host, node(), none, []}),
        {ok, Channel} = amqp_connection:open_channel(Connection),
        {Connection, Channel}
    end,
    Encoded = fun(Properties) -> iolist_size(rabbit_framing_amqp_0_9_1:encode_properties(Properties)) end,
    Writable = fun({'basic.deliver', _Consumer, Tag, Redelivered, Exchange, Key}, Properties) ->
        try
            _ = rabbit_framing_amqp_0_9_1:encode_method_fields(
                  {'basic.deliver', <<"c">>, Tag, Redelivered, Exchange, Key}),
            Encoded(Properties) =< Large
        catch
            _:_ -> false
        end
    end,
    LedHere = fun(Queue) ->
        case rabbit_amqqueue:lookup({resource, Host, queue, Queue}) of
            {ok, Found} ->
                case amqqueue:get_pid(Found) of
                    {_Name, Node} -> Node =:= node();
                    Pid when is_pid(Pid) -> node(Pid) =:= node();
                    _None -> false
                end;
            _NotFound -> false
        end
    end,

    Legible = fun
        Legible(<<C/utf8, Rest/binary>>) when C >= 32, C =/= 127, C =/= $\\ -> [<<C/utf8>> | Legible(Rest)];
        Legible(<<Byte, Rest/binary>>) -> [io_lib:format("\\x~2.16.0b", [Byte]) | Legible(Rest)];
        Legible(<<>>) -> []
    end,
    Text = fun(Bytes) -> iolist_to_binary(Legible(Bytes)) end,
    Short = fun(Bytes) when is_binary(Bytes) ->
            case Text(Bytes) of Short when byte_size(Short) =< 255 -> Short; _TooLong -> undefined end;
        (_None) -> undefined
    end,
    %% Keeps the original bytes if the legible text would make a frame too large.
    Whole = fun(Key) ->
        case Text(Key) of Shown when byte_size(Shown) =< 100000 -> Shown; _TooLong -> Key end
    end,
    Name = fun(Id) when is_binary(Id) -> [{<<"name">>, longstr, Text(Id)}]; (_None) -> [] end,
    Arrival = fun(Headers) ->
        case [Value || {Name, _Type, Value} <- Headers, Name =:= <<"timestamp_in_ms">>, is_integer(Value)] of
            [Milliseconds] -> [{<<"ir-arrival">>, long, Milliseconds * 1000}];
            _None -> []
        end
    end,
    %% P_basic: content type, encoding, headers, delivery mode, priority, correlation id, reply to, expiration,
    %% message id, timestamp, type, user id, application, cluster.
    Rewrite = fun(Key, Properties) ->
        Old = case element(4, Properties) of undefined -> []; Some -> Some end,
        Told = [{<<"reason">>, longstr, <<"undeliverable">>}, {<<"routing-key">>, longstr, Whole(Key)}
                | Name(element(10, Properties)) ++ Arrival(Old)],
        With = fun(Headers) ->
            {'P_basic', Short(element(2, Properties)), Short(element(3, Properties)), Headers, 2, undefined, undefined,
             undefined, undefined, undefined, undefined, undefined, undefined, undefined, undefined}
        end,
        Legibles = [{Text(Header), Type, Value} || {Header, Type, Value} <- Old],
        Letter = With(Told ++ [{<<"headers">>, table, Legibles}]),
        case catch Encoded(Letter) of
            Size when is_integer(Size), Size =< 131000 -> Letter;
            _TooLarge -> With(Told)
        end
    end,

    Move = fun(Channel, Number, {'basic.deliver', _, Tag, _, _, Key}, Properties, Body) ->
        ok = amqp_channel:call(Channel, {'basic.publish', 0, <<>>, Rejected, true, false},
                               {amqp_msg, Rewrite(Key, Properties), Body}),
        amqp_channel:wait_for_confirms(Channel, 30) =:= true orelse exit("ir.rejected accepts nothing: it is full, or lost"),
        ok = amqp_channel:call(Channel, {'basic.ack', Tag, false}),
        Shown = Text(binary:part(Key, 0, min(64, byte_size(Key)))),
        rabbit_log:warning("a message of partition ~s that cannot be delivered was taken aside into ~s: key ~ts",
                           [Number, Rejected, Shown]),
        ok = amqp_channel:call(Channel, {'basic.publish', 0, Workers, <<>>, false, false},
                               {amqp_msg, {'P_basic', undefined, undefined, undefined, 1, undefined, undefined, undefined,
                                           undefined, undefined, undefined, undefined, undefined, undefined, undefined},
                                <<"took ", Number/binary, " ", Shown/binary>>})
    end,
    %% Reads until the window is full or no more messages come. The first message comes after the worker has stopped
    %% consuming.
    Look = fun Look(Channel, Number, Kept, Held, Wait) when Kept < Window, Held < Bytes ->
            receive
                {{'basic.deliver', _, _, _, _, _} = Deliver, {amqp_msg, Properties, Body}} ->
                    case Writable(Deliver, Properties) of
                        true ->
                            Look(Channel, Number, Kept + 1, Held + byte_size(Body), 500);
                        false ->
                            Move(Channel, Number, Deliver, Properties, Body),
                            Look(Channel, Number, Kept, Held, 500)
                    end
            after Wait ->
                ok
            end;
        Look(_Channel, _Number, _Kept, _Held, _Wait) ->
            ok
    end,
    Clear = fun(Number) ->
        Queue = <<"ir.observations.", Number/binary>>,
        {Connection, Channel} = Open(),
        try
            {'confirm.select_ok'} = amqp_channel:call(Channel, {'confirm.select', false}),
            {'queue.declare_ok', _, _, _} =
                amqp_channel:call(Channel, {'queue.declare', 0, Rejected, true, true, false, false, false, []}),
            {'basic.qos_ok'} = amqp_channel:call(Channel, {'basic.qos', 0, Window, false}),
            {'basic.consume_ok', Consumer} =
                amqp_channel:subscribe(Channel, {'basic.consume', 0, Queue, <<>>, false, false, false, false, []}, self()),
            receive {'basic.consume_ok', Consumer} -> ok after 5000 -> exit(no_consumer) end,
            Look(Channel, Number, 0, 0, 4000)
        after
            amqp_connection:close(Connection)
        end
    end,
    %% Runs in a separate process, whose mailbox is discarded when it ends, for whatever reason.
    Begin = fun(Number) ->
        case LedHere(<<"ir.observations.", Number/binary>>) of
            true ->
                {Pid, Reference} = spawn_monitor(fun() -> Clear(Number) end),
                receive
                    {'DOWN', Reference, process, Pid, normal} -> ok;
                    {'DOWN', Reference, process, Pid, Why} ->
                        rabbit_log:error("partition ~s: nothing was taken aside: ~p", [Number, Why])
                end;
            false ->
                ok
        end
    end,
    %% Drops requests for the same partition that arrived during the last run. That run has served them, too.
    Forget = fun Forget(Number) ->
        receive
            {{'basic.deliver', _, _, _, _, _}, {amqp_msg, _, <<"aside ", Same/binary>>}} when Same =:= Number ->
                Forget(Number)
        after 0 ->
            ok
        end
    end,
    Listen = fun Listen() ->
        receive
            {{'basic.deliver', _, _, _, _, _}, {amqp_msg, _, <<"aside ", Number/binary>>}}
              when byte_size(Number) > 0, byte_size(Number) =< 3 ->
                Begin(Number),
                Forget(Number),
                Listen();
            {{'basic.deliver', _, _, _, _, _}, _Announcement} -> Listen();
            {'DOWN', _, process, _, Why} -> exit(Why);
            _Other -> Listen()
        end
    end,
    Serve = fun() ->
        {Connection, Channel} = Open(),
        _ = monitor(process, Channel),
        try
            {'queue.declare_ok', Queue, _, _} =
                amqp_channel:call(Channel, {'queue.declare', 0, <<>>, false, false, true, true, false, []}),
            {'queue.bind_ok'} = amqp_channel:call(Channel, {'queue.bind', 0, Queue, Workers, <<>>, false, []}),
            {'basic.consume_ok', _} =
                amqp_channel:subscribe(Channel, {'basic.consume', 0, Queue, <<>>, false, true, true, false, []}, self()),
            Listen()
        after
            catch amqp_connection:close(Connection)
        end
    end,
    %% The workers declare the exchange, so it may not exist yet. RabbitMQ is stopped while this node is in a minority.
    Keep = fun Keep() ->
        case rabbit:is_running() of
            true ->
                {Pid, Reference} = spawn_monitor(Serve),
                receive {'DOWN', Reference, process, Pid, _Why} -> ok end;
            false ->
                ok
        end,
        timer:sleep(2000),
        Keep()
    end,
    ok = rabbit:await_startup(),
    Keep()
end).
