import { Effect } from "effect"
import type { Topic } from "effect-ws"

/** A broker with one filter, "a", that delivers what the test says. */
export class ManualBroker implements Topic.BrokerService {
  private deliver: (delivery: Topic.Delivery) => void = () => {}

  readonly publish = () => Effect.void

  readonly subscribe: Topic.BrokerService["subscribe"] = (_, deliver) =>
    Effect.sync(() => {
      this.deliver = deliver
    })

  message(message: string): void {
    this.deliver({ _tag: "Message", topic: "a", message })
  }

  gap(cause: Topic.Gap["cause"], missed?: number): void {
    this.deliver({ _tag: "Gap", filter: "a", cause, missed })
  }
}
