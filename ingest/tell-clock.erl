%% Adds the time by this node's clock to the broker's figures for Prometheus, under the name that it has in our own
%% programs. So the alert ClockOff watches brokers, too. Start the broker with `-run file script tell-clock.erl`.
spawn(fun() ->
    Gauge = ir_clock_seconds,
    Tell = fun Tell() ->
        % RabbitMQ and its metrics are stopped while this node is in a minority.
        _ = (catch begin
            prometheus_gauge:declare([{name, Gauge}, {help, "The time by this node's clock, Unix time."},
                                      {duration_unit, false}]), % else a name in seconds takes the VM's native unit
            prometheus_gauge:set(Gauge, os:system_time(second))
        end),
        timer:sleep(1000),
        Tell()
    end,
    Tell()
end).
