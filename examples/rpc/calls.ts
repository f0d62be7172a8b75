/** What the two sides of the example agree on. */
import { Schema } from "effect"
import { Rpc, RpcGroup } from "effect/rpc"

export class Task extends Schema.Class<Task>("Task")({ id: Schema.Int, text: Schema.String, done: Schema.Boolean }) {}

export class NoSuchTask extends Schema.TaggedError<NoSuchTask>()("NoSuchTask", { id: Schema.Int }) {}

export const Tasks = RpcGroup.make(
  Rpc.make("Add", { payload: { text: Schema.String.check(Schema.isMaxLength(200)) }, success: Task }),
  Rpc.make("Finish", { payload: { id: Schema.Int }, success: Task, error: NoSuchTask }),
  /** All tasks as they are, then each as it changes, for as long as it is read. */
  Rpc.make("Watch", { success: Task, stream: true })
)
