%% Makes the broker stamp every message of ours with the time of its arrival: header `timestamp_in_ms`, milliseconds
%% since 1970, which overwrites whatever a sender put there. It starts the broker, which is to be started without
%% starting itself (RABBITMQ_NODE_ONLY=true) and with the argument
%% `-eval {ok,M,B}=compile:file("stamp-arrival.erl",[binary,report]),{module,M}=code:load_binary(M,"",B),M:boot().`
%%
%% RabbitMQ 3.12 and later stamp by themselves when told to; they also set the property `timestamp`. Before, a channel
%% interceptor does it, for MQTT as well, since that is published through channels there. Which of them this broker
%% has is asked of its code.
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

-define(HEADER, <<"timestamp_in_ms">>).
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
    case built_in() of
        {Key, _Interceptor} ->
            case lists:any(fun stamps/1, application:get_env(rabbit, Key, [])) of
                true -> ok;
                false -> {error, "rabbitmq.conf has message_interceptors, but not "
                                 "message_interceptors.incoming.set_header_timestamp.overwrite = true"}
            end;
        none ->
            rabbit_registry:register(channel_interceptor, <<"stamp-arrival">>, ?MODULE)
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
    [{description, <<"Stamps observations with the time of their arrival">>}].

init(_Channel) ->
    none.

applies_to() ->
    ['basic.publish'].

%% basic.publish: {'basic.publish', Ticket, Exchange, RoutingKey, ...}. It is also given what it does not apply to.
intercept(Method, Content, _State) when element(1, Method) =:= 'basic.publish' ->
    case lists:member(element(3, Method), ?EXCHANGES) of
        true ->
            try
                {Method, rabbit_basic:map_headers(fun set_header/1, Content)}
            catch
                _:_ -> rabbit_misc:amqp_error(syntax_error, "the properties cannot be read", [], 'basic.publish')
            end;
        false ->
            {Method, Content}
    end;
intercept(Method, Content, _State) ->
    {Method, Content}.

set_header(undefined) ->
    set_header([]);
set_header(Headers) ->
    [{?HEADER, long, os:system_time(millisecond)} | [Each || Each <- Headers, element(1, Each) =/= ?HEADER]].
