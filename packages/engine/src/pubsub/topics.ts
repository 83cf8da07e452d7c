import { field, isRegistryId, type JsonObject, LIMITS, RivuletError } from '@rivulet/protocol';
import { mismatch, readData, readInput } from '../core/builtins/input.js';
import type { Fabric } from '../core/fabric/fabric.js';
import { type Call, JsonPayload } from '../core/fabric/invocation.js';
import { OrderedTrigger, readConfigText } from '../core/triggers/ordered-trigger.js';
import { withoutCaller } from '../core/workers/caller-data.js';
import type { Logger } from '../logging/logger.js';
import { PUBLISH_SCHEMAS, subscribeConfig } from './topic-schemas.js';

/**
 * Adds `publish {topic, data}` and the `subscribe` trigger type: what is published runs the functions that are bound to the topic at
 * that moment, ordered for each binding, at most once, bounded. Nothing is kept, and other engines don't hear it.
 */
export function provideTopics(fabric: Fabric, logger: Logger): void {
  const bindings = new OrderedTrigger(fabric, logger, {
    read: (config) => requireTopic(readConfigText(config, 'topic')),
    indexOf: (topic) => topic,
  });
  const publish = (call: Call) => {
    const input = readInput(call);
    const topic = requireTopic(readTopic(field(input, 'topic')));
    const data = dataOf(call, input);
    if (bindings.wants(topic)) bindings.publish(topic, everyone, () => topic, data);
    return { kind: 'result', text: 'null' } as const;
  };
  fabric.registerBuiltin('publish', publish, 'Runs the functions that subscribe to a topic.', PUBLISH_SCHEMAS);
  fabric.provideTriggerType('subscribe', 'Fires when something is published to a topic.', bindings, subscribeConfig);
}

/** What a guest publishes becomes the whole payload of subscribers, so it may not name a caller. */
function dataOf(call: Call, input: JsonObject): JsonPayload {
  const data = JsonPayload.ofText(readData(call, input, 'null'));
  return call.caller?.access === undefined ? data : JsonPayload.ofValue(withoutCaller(data.value));
}

/** Bindings are found by their topic, which is all that they ask for. */
const everyone = () => true;

function readTopic(value: unknown): string | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'string') throw mismatch('topic must be a string');
  return value;
}

function requireTopic(topic: string | undefined): string {
  if (topic === undefined || topic === '') throw new RivuletError('topic_not_set', 'topic must name what is published or subscribed to');
  if (isRegistryId(topic)) return topic;
  throw new RivuletError('INVALID_ID', `topic must be at most ${LIMITS.registryIdBytes} UTF-8 bytes`);
}
