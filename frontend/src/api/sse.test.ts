import { beforeEach, describe, expect, it } from 'vitest';
import { FakeEventSource } from '@/testing/fake-event-source';
import { makeMessage } from '@/testing/fixtures';
import { type ConnectionState, followGeneration, parseStreamEvent, type StreamEvent, streamUrl } from './sse';

interface Scheduled {
  run: () => void;
  milliseconds: number;
  cancelled: boolean;
}

function follow() {
  const events: StreamEvent[] = [];
  const connections: ConnectionState[] = [];
  const scheduled: Scheduled[] = [];
  const stop = followGeneration(
    'm1',
    { onEvent: (event) => events.push(event), onConnection: (state) => connections.push(state) },
    {
      createSource: (url) => new EventSource(url),
      schedule: (run, milliseconds) => {
        const entry = { run, milliseconds, cancelled: false };
        scheduled.push(entry);
        return () => {
          entry.cancelled = true;
        };
      },
    },
  );
  return { events, connections, scheduled, stop };
}

describe('followGeneration', () => {
  beforeEach(() => FakeEventSource.install());

  it('hands every event on, text with its place in the stream', () => {
    const { events } = follow();
    const source = FakeEventSource.last;
    source.say('queued', { position: 2, eta_s: 40 });
    source.say('reading', { done: 1, total: 2 });
    source.say('text', { text: 'a', tokens: 1, tokens_per_second: 7 }, 1);
    expect(events.map((event) => event.type)).toEqual(['queued', 'reading', 'text']);
    expect(events[2]).toMatchObject({ seq: 1, text: 'a' });
  });

  it('opens a new source after a refusal, from the last place seen', () => {
    const { scheduled } = follow();
    FakeEventSource.last.say('snapshot', { text: 'abc', seq: 3 }, 3);
    FakeEventSource.last.say('text', { text: 'd', tokens: 4, tokens_per_second: 7 }, 4);
    FakeEventSource.last.refuse();
    expect(FakeEventSource.made).toHaveLength(1);
    scheduled[0]?.run();
    expect(FakeEventSource.last.url).toBe('/api/generations/m1/events?after=4');
  });

  it('waits longer after each refusal in a row, up to a limit, and starts over once something arrives', () => {
    const { scheduled } = follow();
    for (let i = 0; i < 7; i += 1) {
      FakeEventSource.last.refuse();
      scheduled.at(-1)?.run();
    }
    expect(scheduled.map(({ milliseconds }) => milliseconds)).toEqual([
      500, 1000, 2000, 4000, 8000, 10000, 10000,
    ]);
    FakeEventSource.last.say('queued', { position: 0, eta_s: 1 });
    FakeEventSource.last.refuse();
    expect(scheduled.at(-1)?.milliseconds).toBe(500);
  });

  it('leaves a dropped connection to the browser', () => {
    const { scheduled, connections } = follow();
    FakeEventSource.last.open();
    FakeEventSource.last.drop();
    expect(scheduled).toHaveLength(0);
    expect(connections).toEqual(['connecting', 'open', 'waiting']);
  });

  it('closes at the end and says nothing after it', () => {
    const { events, scheduled } = follow();
    const source = FakeEventSource.last;
    source.say('end', { message: makeMessage() });
    expect(source.readyState).toBe(FakeEventSource.CLOSED);
    source.say('text', { text: 'late', tokens: 1, tokens_per_second: 1 }, 9);
    source.refuse();
    expect(events).toHaveLength(1);
    expect(scheduled).toHaveLength(0);
  });

  it('stops for good when told to, also while it waits to reconnect', () => {
    const { scheduled, stop } = follow();
    FakeEventSource.last.refuse();
    stop();
    expect(scheduled[0]?.cancelled).toBe(true);
    scheduled[0]?.run();
    expect(FakeEventSource.made).toHaveLength(1);
  });
});

describe('parseStreamEvent', () => {
  it.each([
    ['text', 'not json', '1'],
    ['text', '{"text":"no place"}', ''],
    ['queued', '7', ''],
    ['queued', 'null', ''],
  ])('ignores what is not whole: %s %s', (type, data, id) => {
    expect(parseStreamEvent(type, data, id)).toBeNull();
  });
});

describe('streamUrl', () => {
  it('names the place to go on from only when there is one', () => {
    expect(streamUrl('m1', 0)).toBe('/api/generations/m1/events');
    expect(streamUrl('m1', 12)).toBe('/api/generations/m1/events?after=12');
  });
});
