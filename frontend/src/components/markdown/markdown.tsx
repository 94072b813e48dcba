import { Component, lazy, type ReactNode, Suspense } from 'react';
import { isTooMuch } from './limits';
import { Plain } from './plain';
import { usePaced } from './use-paced';

const load = () => import('./renderer');
const Renderer = lazy(load);

/** Fetches the renderer before it is needed. */
export function preloadMarkdown(): void {
  load().catch(() => undefined);
}

/** When the renderer cannot be loaded or fails, the text itself is still worth reading. */
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
  return (
    <PlainOnFailure plain={plain}>
      <Suspense fallback={plain}>
        <Renderer text={text} streaming={streaming} />
      </Suspense>
    </PlainOnFailure>
  );
}
