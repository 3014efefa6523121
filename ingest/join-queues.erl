%% Makes a newly started broker a member of the quorum queues that have fewer than three members. Start the broker with
%% `-run file script join-queues.erl`.
%%
%% RabbitMQ 3.10 chooses a queue's members when the queue is declared, from the brokers that run at that time, and adds
%% none later. So a queue that was declared while the cluster was smaller would be lost with those few brokers. Brokers
%% join one at a time, because a queue's Raft group accepts one change of its members at a time.
spawn(fun() ->
    Lacks = fun(Queue) ->
        amqqueue:is_quorum(Queue) andalso begin
            Members = maps:get(nodes, amqqueue:get_type_state(Queue)),
            length(Members) < 3 andalso not lists:member(node(), Members)
        end
    end,
    Join = fun(Queue) ->
        {resource, Host, queue, Name} = amqqueue:get_name(Queue),
        case catch rabbit_quorum_queue:add_member(Host, Name, node(), 30000) of
            ok -> [];
            Why -> [{Host, Name, Why}]
        end
    end,
    JoinAll = fun() -> lists:flatmap(Join, lists:filter(Lacks, rabbit_amqqueue:list())) end,
    Try = fun Again(Left) ->
        case global:trans({join_queues, self()}, JoinAll) of
            [] ->
                ok;
            _Some when Left > 1 ->
                timer:sleep(5000),
                Again(Left - 1);
            Failed ->
                rabbit_log:error("cannot join these queues, which have too few members (rabbitmq-queues grow ~s all): ~p",
                                 [node(), Failed])
        end
    end,
    ok = rabbit:await_startup(),
    Try(24)
end).
