package main

import (
	"bytes"
	"context"
	"fmt"
	"sync/atomic"

	amqp091 "github.com/rabbitmq/amqp091-go"
	"github.com/redpanda-data/benthos/v4/public/service"
)

const batchMost = 200

var (
	target   int64 // number of observations to process
	finished atomic.Int64
)

func init() {
	input := service.NewConfigSpec().Field(service.NewStringField("address")).
		Field(service.NewIntField("partitions")).Field(service.NewIntField("prefetch"))
	output := service.NewConfigSpec().Field(service.NewStringField("address")).
		Field(service.NewStringField("exchange")).Field(service.NewIntField("max_in_flight"))
	if err := service.RegisterBatchInput("river_amqp", input, newReader); err != nil {
		panic(err)
	}
	if err := service.RegisterBatchOutput("river_amqp", output, newWriter); err != nil {
		panic(err)
	}
}

// ---- consuming ----

type reader struct {
	address              string
	partitions, prefetch int
	connection           *amqp091.Connection
	channel              *amqp091.Channel
	arrived              chan amqp091.Delivery
}

func newReader(config *service.ParsedConfig, _ *service.Resources) (service.BatchInput, error) {
	made := &reader{arrived: make(chan amqp091.Delivery, batchMost)}
	var err error
	if made.address, err = config.FieldString("address"); err != nil {
		return nil, err
	}
	if made.partitions, err = config.FieldInt("partitions"); err != nil {
		return nil, err
	}
	made.prefetch, err = config.FieldInt("prefetch")
	return made, err
}

func (r *reader) Connect(context.Context) (err error) {
	if r.connection, err = amqp091.Dial(r.address); err != nil {
		return err
	}
	if r.channel, err = r.connection.Channel(); err != nil {
		return err
	}
	if err = r.channel.Qos(r.prefetch, 0, false); err != nil {
		return err
	}
	for i := 0; i < r.partitions; i++ {
		deliveries, err := r.channel.Consume(fmt.Sprintf("ir.observations.%d", i), "", false, false, false, false, nil)
		if err != nil {
			return err
		}
		go func() {
			for each := range deliveries {
				r.arrived <- each
			}
		}()
	}
	return nil
}

// Returns the messages that have arrived, at least one.
func (r *reader) ReadBatch(ctx context.Context) (service.MessageBatch, service.AckFunc, error) {
	var taken []amqp091.Delivery
	select {
	case first := <-r.arrived:
		taken = append(taken, first)
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
	for more := true; more && len(taken) < batchMost; {
		select {
		case next := <-r.arrived:
			taken = append(taken, next)
		default:
			more = false
		}
	}
	batch := make(service.MessageBatch, len(taken))
	for i, each := range taken {
		batch[i] = service.NewMessage(each.Body)
		batch[i].MetaSetMut("routing_key", each.RoutingKey)
	}
	return batch, func(_ context.Context, failure error) error { return settle(taken, failure) }, nil
}

func settle(taken []amqp091.Delivery, failure error) error {
	for _, each := range taken {
		if failure != nil {
			if err := each.Nack(false, true); err != nil {
				return err
			}
			continue
		}
		if err := each.Ack(false); err != nil {
			return err
		}
		records := int64(bytes.Count(each.Body, []byte(`"n":`)))
		if now := finished.Add(records); now >= target && now-records < target {
			fmt.Println("done")
		}
	}
	return nil
}

func (r *reader) Close(context.Context) error {
	return r.connection.Close()
}

// ---- publishing ----

type writer struct {
	address, exchange string
	connection        *amqp091.Connection
	channel           *amqp091.Channel
}

func newWriter(config *service.ParsedConfig, _ *service.Resources) (service.BatchOutput, service.BatchPolicy, int, error) {
	made := &writer{}
	var policy service.BatchPolicy
	var err error
	if made.address, err = config.FieldString("address"); err != nil {
		return nil, policy, 0, err
	}
	if made.exchange, err = config.FieldString("exchange"); err != nil {
		return nil, policy, 0, err
	}
	inFlight, err := config.FieldInt("max_in_flight")
	return made, policy, inFlight, err
}

func (w *writer) Connect(context.Context) (err error) {
	if w.connection, err = amqp091.Dial(w.address); err != nil {
		return err
	}
	if w.channel, err = w.connection.Channel(); err != nil {
		return err
	}
	return w.channel.Confirm(false)
}

// Waits until every message is confirmed.
func (w *writer) WriteBatch(ctx context.Context, batch service.MessageBatch) error {
	open := make([]*amqp091.DeferredConfirmation, 0, len(batch))
	for _, each := range batch {
		body, err := each.AsBytes()
		if err != nil {
			return err
		}
		key, _ := each.MetaGet("key")
		contentType, _ := each.MetaGet("content_type")
		confirm, err := w.channel.PublishWithDeferredConfirm(w.exchange, key, false, false, amqp091.Publishing{
			ContentType: contentType, DeliveryMode: amqp091.Persistent, Body: body})
		if err != nil {
			return err
		}
		open = append(open, confirm)
	}
	for _, each := range open {
		if good, err := each.WaitContext(ctx); err != nil || !good {
			return fmt.Errorf("not confirmed: %w", err)
		}
	}
	return nil
}

func (w *writer) Close(context.Context) error {
	return w.connection.Close()
}
