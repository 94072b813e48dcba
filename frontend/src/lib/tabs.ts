/** Tells the other tabs of this browser that something is new; they look for themselves. */
const NAME = 'assistant.changes';

export function tellOtherTabs(what: string): void {
  if (typeof BroadcastChannel === 'undefined') return;
  const channel = new BroadcastChannel(NAME);
  channel.postMessage(what);
  channel.close();
}

/** Calls back when another tab says that `what` is new; returns what ends that. */
export function whenOtherTabsTell(what: string, heard: () => void): () => void {
  if (typeof BroadcastChannel === 'undefined') return () => undefined;
  const channel = new BroadcastChannel(NAME);
  channel.onmessage = ({ data }) => {
    if (data === what) heard();
  };
  return () => channel.close();
}
