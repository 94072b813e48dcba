import type { Ref } from 'react';
import type { Message } from '@/api/generated';
import { Notice } from '@/components/ui/notice';
import { useOnline } from '@/lib/use-online';
import { Composer, type ComposerHandle } from './composer';
import { ModelLine } from './model-line';
import { SendNotice } from './send-notice';
import type { Chosen } from './use-chat-settings';
import type { useSend } from './use-send';
import { useStop } from './use-stop';

interface ChatDockProps {
  sending: ReturnType<typeof useSend>;
  draft: string;
  onDraft: (text: string) => void;
  /** The answer being made, if there is one. */
  answering: Message | null;
  /** How the conversation is answered; null while that is not known. */
  chosen: Chosen | null;
  handle?: Ref<ComposerHandle>;
}

/** The bottom of the page: the composer, and above it whatever stands in its way. */
export function ChatDock({ sending, draft, onDraft, answering, chosen, handle }: ChatDockProps) {
  const online = useOnline();
  const { stop, stopping } = useStop(answering);
  const { state, send, retry, cancel } = sending;
  return (
    <div className="relative mx-auto flex w-full max-w-[48rem] flex-col gap-2 px-3 pb-3 before:pointer-events-none before:absolute before:inset-x-0 before:-top-6 before:h-6 before:bg-linear-to-t before:from-background before:to-transparent sm:px-6 sm:pb-5">
      {!online && (
        <Notice tone="warning">
          You are offline. Your draft is kept; you can send it when you are back.
        </Notice>
      )}
      <SendNotice state={state} onRetry={retry} onCancel={cancel} />
      <Composer
        handle={handle}
        draft={draft}
        onDraft={onDraft}
        onSend={send}
        onStop={stop}
        stopping={stopping}
        busy={state.kind === 'sending' || state.kind === 'waiting'}
        blocked={online ? null : 'you are offline'}
      />
      <ModelLine chosen={chosen} />
    </div>
  );
}
