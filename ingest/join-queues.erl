%% Makes a broker that has come up a member of the quorum queues that have fewer than three. It is to be started with
%% `-run file script join-queues.erl`.
%%
%% RabbitMQ 3.10 chooses a queue's members from the brokers that run when it is declared, and leaves it at that: queues
%% declared while the cluster was smaller are lost with the few brokers that hold them. Members come one broker at a
%% time, since a queue's Raft group takes one change at a time.
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
                rabbit_log:error("not a member of these queues, which have too few (rabbitmq-queues grow ~s all): ~p",
                                 [node(), Failed])
        end
    end,
    ok = rabbit:await_startup(),
    Try(24)
end).
