import { Component, type ReactNode, useEffect, useState, useSyncExternalStore } from 'react';
import { deferred } from '@/lib/deferred';
import { isTooMuch } from './limits';
import { Plain } from './plain';
import { usePaced } from './use-paced';

const renderer = deferred(() => import('./renderer').then((module) => module.default));

/** Fetches what formats texts; ends also where it cannot be fetched, and texts stay as they were written. */
export function fetchMarkdown(): Promise<void> {
  return renderer.fetch().catch(() => undefined);
}

/** Whether a text would look now as it will stay: one that is formatted a moment later moves all below it. */
export function useMarkdown(): boolean {
  const [ready, setReady] = useState(() => renderer.now() !== null);
  useEffect(() => {
    if (!ready) void fetchMarkdown().then(() => setReady(true));
  }, [ready]);
  return ready;
}

/** When the renderer fails, the text itself is still worth reading. */
class PlainOnFailure extends Component<{ plain: ReactNode; children: ReactNode }, { failed: boolean }> {
  override state = { failed: false };

  static getDerivedStateFromError() {
    return { failed: true };
  }

  override render() {
    return this.state.failed ? this.props.plain : this.props.children;
  }
}

interface MarkdownProps {
  text: string;
  streaming?: boolean;
}

export function Markdown({ text: newest, streaming = false }: MarkdownProps) {
  const text = usePaced(newest, streaming);
  const Renderer = useSyncExternalStore(renderer.subscribe, renderer.now);
  const plain = <Plain text={text} />;
  if (isTooMuch(text)) {
    return (
      <>
        <p className="mb-2 text-muted-foreground text-sm">
          Shown as it was written: it is too long or too deeply nested to format.
        </p>
        {plain}
      </>
    );
  }
  if (!Renderer) return plain;
  return (
    <PlainOnFailure plain={plain}>
      <Renderer text={text} streaming={streaming} />
    </PlainOnFailure>
  );
}
