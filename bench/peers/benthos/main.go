// Does the part of ir-worker's job that Benthos can do: AMQP in, transformation by its mapping language
// (mapping.blobl), AMQP out. Benthos is the engine of Redpanda Connect, under the MIT licence. It has no AMQP
// connectors, so amqp.go has two small ones, as a user would write them.
//
// bench/peers/README.md says how a peer is run.
package main

import (
	"context"
	_ "embed"
	"flag"
	"fmt"
	"log"

	_ "github.com/redpanda-data/benthos/v4/public/components/pure"
	"github.com/redpanda-data/benthos/v4/public/service"
)

//go:embed mapping.blobl
var mapping string

const config = `
input:
  river_amqp:
    address: %q
    partitions: %d
    prefetch: 500
pipeline:
  processors:
    - mapping: %q
    - unarchive:
        format: json_array
    - mapping: |
        meta key = this.key
        meta content_type = this.content_type
        root = this.body
output:
  river_amqp:
    address: %q
    exchange: ir.processed
    max_in_flight: 4
http:
  enabled: false
logger:
  level: WARN
`

func main() {
	amqp := flag.String("amqp", "", "the broker's address")
	partitions := flag.Int("partitions", 8, "queues ir.observations.0 …")
	observations := flag.Int64("observations", 0, "to say \"done\" after")
	flag.String("registry", "", "not needed: the mapping knows no sensors")
	flag.Parse()

	target = *observations
	builder := service.NewStreamBuilder()
	if err := builder.SetYAML(fmt.Sprintf(config, *amqp, *partitions, mapping, *amqp)); err != nil {
		log.Fatal(err)
	}
	stream, err := builder.Build()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("ready")
	if err := stream.Run(context.Background()); err != nil {
		log.Fatal(err)
	}
}
