%% Ends an endless wait of a starting broker. Start the broker with `-run file script sync-global.erl`.
%%
%% A broker that loses contact with the majority stops, and starts again when it sees the other brokers. It then waits in
%% global:sync() until Erlang's `global` has synchronized with each of them. If a connection between two brokers breaks
%% and returns at once, each may miss a part of this protocol, and then the wait never ends. RabbitMQ has a remedy: it
%% tells both sides that the other node was down and is up again. But Erlang 25.1 and later ignore these messages without
%% the id of the connection, which RabbitMQ 3.10 does not send. This script sends them with the id, to both sides, if
%% the same synchronization is still open after ten seconds.
spawn(fun() ->
    State = fun(Node) -> rpc:call(Node, sys, get_state, [global_name_server], 5000) end,
    Known = fun(Node) -> element(3, State(Node)) end,
    Syncers = fun() -> element(6, State(node())) end,
    %% {{Kind, Peer}, Value}: what `global` remembers about a peer until both are synchronized.
    Notes = fun() ->
        {dictionary, Dictionary} = process_info(whereis(global_name_server), dictionary),
        [Note || {{Kind, _}, _} = Note <- Dictionary, lists:member(Kind, [pre_connect, sync_tag_his, sync_tag_my])]
    end,
    Restart = fun(Peer) ->
        rabbit_log:warning("the synchronization with ~s hangs; starting it again", [Peer]),
        Sides = [{Node, Other, Id} || {Node, Other} <- [{node(), Peer}, {Peer, node()}],
                                      {ok, Id} <- [maps:find({connection_id, Other}, Known(Node))]],
        Tell = fun(Change) ->
            [{global_name_server, Node} ! {Change, Other, #{connection_id => Id}} || {Node, Other, Id} <- Sides]
        end,
        Tell(nodedown),
        timer:sleep(1000),
        Tell(nodeup)
    end,
    Watch = fun Watch(Before) ->
        timer:sleep(10000),
        Now = Notes(),
        Same = [Note || Note <- Now, lists:member(Note, Before)],
        %% If a node is gone or busy, this fails, and the next round tries again.
        _ = (catch [Restart(Peer) || Same =/= [], Syncers() =/= [], Peer <- lists:usort([Each || {{_, Each}, _} <- Same])]),
        Watch(Now)
    end,
    Watch([])
end).
