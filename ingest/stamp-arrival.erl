%% Takes every message of ours in at the broker: stamps it with the time of its arrival (header `timestamp_in_ms`,
%% milliseconds since 1970, which overwrites whatever a sender put there), and drops from its properties what could do
%% harm. It starts the broker, which is to be started without starting itself (RABBITMQ_NODE_ONLY=true) and with the argument
%% `-eval {ok,M,B}=compile:file("stamp-arrival.erl",[binary,report]),{module,M}=code:load_binary(M,"",B),M:boot().`
%%
%% RabbitMQ 3.12 and later stamp by themselves when told to; they also set the property `timestamp`. Before, a channel
%% interceptor does it, for MQTT as well, since that is published through channels there. Which of them this broker
%% has is asked of its code.
%%
%% The interceptor drops a sender's headers except `ir-arrival` on all series, for AMQP: nobody reads others, and RabbitMQ
%% itself is hurt by some. It needs seconds for each delivery of a header that is nested thousands of times; the process
%% that dead-letters for a queue ends for good at an `x-death` of another form; CC and BCC publish under other keys. It
%% drops an expiration, which would take a confirmed message out of the queue, and a priority, which would change the order.
%%
%% This module becomes one of the application `rabbit`, with a boot step of its own between the registry of plugins and
%% recovery: so it is there before the first listener opens, and a broker on which it fails does not come up.
-module('stamp-arrival').
-behaviour(rabbit_channel_interceptor).

-export([boot/0, stamp/0]).
-export([description/0, init/1, applies_to/0, intercept/3]).

-rabbit_boot_step({?MODULE, [{description, "stamp of arrival"},
                             {mfa,         {?MODULE, stamp, []}},
                             {requires,    rabbit_registry},
                             {enables,     recovery}]}).

-define(STAMP, <<"timestamp_in_ms">>).
-define(KEPT, <<"ir-arrival">>).
%% Places in the records `content` and `P_basic` of RabbitMQ.
-define(PROPERTIES, 3).
-define(HEADERS, 4).
-define(PRIORITY, 6).
-define(EXPIRATION, 9).
-define(EXCHANGES, [<<"ir.observations">>, <<"amq.topic">>]).

boot() ->
    {ok, [{application, rabbit, Keys}]} = file:consult(code:where_is_file("rabbit.app")),
    {modules, Modules} = lists:keyfind(modules, 1, Keys),
    ok = application:load({application, rabbit, lists:keystore(modules, 1, Keys, {modules, [?MODULE | Modules]})}),
    case built_in() of
        {Key, Interceptor} -> ok = application:set_env(rabbit, Key, [Interceptor]);
        none -> ok
    end,
    rabbit:boot().

%% The boot step. The interceptors in rabbitmq.conf have replaced those that boot() set.
stamp() ->
    ok = rabbit_registry:register(channel_interceptor, <<"stamp-arrival">>, ?MODULE),
    case built_in() of
        {Key, _Interceptor} ->
            case lists:any(fun stamps/1, application:get_env(rabbit, Key, [])) of
                true -> ok;
                false -> {error, "rabbitmq.conf has message_interceptors, but not "
                                 "message_interceptors.incoming.set_header_timestamp.overwrite = true"}
            end;
        none ->
            ok
    end.

%% The setting that holds the interceptors, and what stands there for ours.
built_in() ->
    case {exists(rabbit_msg_interceptor_timestamp), exists(rabbit_message_interceptor)} of
        {true, _} -> % 4.2
            {message_interceptors, {rabbit_msg_interceptor_timestamp, #{incoming => true, overwrite => true}}};
        {_, true} -> % 3.12
            {incoming_message_interceptors, {set_header_timestamp, true}};
        _ -> none
    end.

stamps({set_header_timestamp, true}) -> true;
stamps({rabbit_msg_interceptor_timestamp, #{incoming := true, overwrite := true}}) -> true;
stamps(_Other) -> false.

exists(Module) ->
    code:which(Module) =/= non_existing.

%% ---- the channel interceptor ----

description() ->
    [{description, <<"Stamps observations with the time of their arrival, and drops harmful properties">>}].

%% The state of a channel: whether it is to stamp.
init(_Channel) ->
    built_in() =:= none.

applies_to() ->
    ['basic.publish'].

%% basic.publish: {'basic.publish', Ticket, Exchange, RoutingKey, ...}. It is also given what it does not apply to.
intercept(Method, Content, Stamps) when element(1, Method) =:= 'basic.publish' ->
    case lists:member(element(3, Method), ?EXCHANGES) of
        true ->
            try
                {Method, take_in(Content, Stamps)}
            catch
                _:_ -> rabbit_misc:amqp_error(syntax_error, "the properties cannot be read", [], 'basic.publish')
            end;
        false ->
            {Method, Content}
    end;
intercept(Method, Content, _State) ->
    {Method, Content}.

take_in(Content, Stamps) ->
    Decoded = rabbit_binary_parser:ensure_content_decoded(Content),
    Given = element(?PROPERTIES, Decoded),
    Kept = lists:foldl(fun({Place, Value}, Properties) -> setelement(Place, Properties, Value) end, Given,
                       [{?HEADERS, headers(element(?HEADERS, Given), Stamps)},
                        {?PRIORITY, undefined}, {?EXPIRATION, undefined}]),
    case Kept of
        Given -> Decoded;
        _ -> rabbit_binary_generator:clear_encoded_content(setelement(?PROPERTIES, Decoded, Kept))
    end.

headers(undefined, false) ->
    undefined;
headers(undefined, true) ->
    headers([], true);
headers(Headers, Stamps) ->
    [{?STAMP, long, os:system_time(millisecond)} || Stamps] ++ [Each || {?KEPT, _Type, Value} = Each <- Headers, is_integer(Value)].
