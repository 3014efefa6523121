%% Prepares every message at the broker that is published to ir.observations or amq.topic. It stamps the message with the
%% time of its arrival: the header `timestamp_in_ms` has milliseconds since 1970 and overwrites any value from the sender.
%% It also drops properties that could do harm. This module starts RabbitMQ. So start the node with
%% RABBITMQ_NODE_ONLY=true, which keeps RabbitMQ from starting by itself, and with the argument
%% `-eval {ok,M,B}=compile:file("stamp-arrival.erl",[binary,report]),{module,M}=code:load_binary(M,"",B),M:boot().`
%%
%% RabbitMQ 3.12 and later can stamp messages themselves; they also set the property `timestamp`. For earlier versions,
%% the channel interceptor of this module stamps them, including MQTT messages, which these versions publish through
%% channels. The module looks at the broker's code to find out which way the broker supports.
%%
%% On all series, the interceptor drops a sender's AMQP headers except `ir-arrival`: nobody reads other headers, and some
%% of them harm RabbitMQ itself. If a header is nested thousands of times, RabbitMQ needs seconds for each delivery. If an
%% `x-death` has another form, the process that dead-letters for a queue ends for good. CC and BCC publish under other
%% keys. The interceptor also drops an expiration, which would take a confirmed message out of the queue, and a priority,
%% which would change the order. It makes a body that came in many frames one piece, because queues would keep 40 bytes
%% and more for each frame.
%%
%% This module becomes a part of the application `rabbit`, with a boot step between the plugin registry and recovery.
%% So it is active before the first listener opens, and if it fails, the broker does not start.
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
%% Positions of fields in RabbitMQ's records `content` and `P_basic`.
-define(PROPERTIES, 3).
-define(FRAGMENTS, 6).
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

%% The boot step. Checks the interceptors again, because rabbitmq.conf may have replaced those that boot() set.
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

%% Returns the setting that lists RabbitMQ's own interceptors, and the entry that stamps messages; `none` if RabbitMQ
%% has no such setting.
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

%% The state of a channel says whether this module stamps its messages.
init(_Channel) ->
    built_in() =:= none.

applies_to() ->
    ['basic.publish'].

%% basic.publish: {'basic.publish', Ticket, Exchange, RoutingKey, ...}. RabbitMQ also calls this for other methods.
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
    Whole = setelement(?FRAGMENTS, Decoded, body(element(?FRAGMENTS, Decoded))),
    case Kept of
        Given -> Whole;
        _ -> rabbit_binary_generator:clear_encoded_content(setelement(?PROPERTIES, Whole, Kept))
    end.

%% The frames of the body are in reverse order.
body(Frames) when length(Frames) =< 1 ->
    Frames;
body(Frames) ->
    [iolist_to_binary(lists:reverse(Frames))].

headers(undefined, false) ->
    undefined;
headers(undefined, true) ->
    headers([], true);
headers(Headers, Stamps) ->
    [{?STAMP, long, os:system_time(millisecond)} || Stamps] ++ [Each || {?KEPT, _Type, Value} = Each <- Headers, is_integer(Value)].
