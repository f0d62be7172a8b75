import type { Layer, Schedule } from "effect"
import type { Topic } from "effect-ws"
import * as TopicCluster from "effect-ws/TopicCluster"
import * as TopicJetStream from "effect-ws/TopicJetStream"
import * as TopicNats from "effect-ws/TopicNats"
import * as TopicRedis from "effect-ws/TopicRedis"

/** Which broker, and its port. */
export interface BrokerOptions {
  readonly kind: "redis" | "streams" | "nats" | "jetstream" | "cluster"
  readonly port: number
}

export const brokerLayer = (
  { kind, port }: BrokerOptions,
  link: { readonly reconnect: Schedule.Schedule<unknown> }
): Layer.Layer<Topic.Broker, Topic.TopicError> => {
  const client = { url: `redis://127.0.0.1:${port}` }
  switch (kind) {
    case "redis":
      return TopicRedis.layer({ client, ...link })
    case "streams":
      return TopicRedis.layerStreams({ client, ...link })
    case "cluster":
      return TopicCluster.layer(link)
    case "jetstream":
      return TopicJetStream.layer({ client: { servers: `127.0.0.1:${port}` }, ...link })
    case "nats":
      return TopicNats.layer({ client: { servers: `127.0.0.1:${port}` }, ...link })
  }
}
