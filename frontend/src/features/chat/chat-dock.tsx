import { lazy, type Ref, Suspense, useState } from 'react';
import type { Message, ServedModel } from '@/api/generated';
import { Notice } from '@/components/ui/notice';
import { formatCount } from '@/lib/format';
import { useOnline } from '@/lib/use-online';
import { AttachButton } from './attach-button';
import type { Attached } from './attachments';
import { Composer, type ComposerHandle } from './composer';
import { ModelLine } from './model-line';
import { SendNotice } from './send-notice';
import type { Attachments } from './use-attachments';
import { type Chosen, useModelChoices } from './use-chat-settings';
import { type Place, useEstimate } from './use-estimate';
import type { Pair, useSend } from './use-send';
import { useStop } from './use-stop';

const AttachmentChips = lazy(() => import('./attachment-chips'));
const DraftNotices = lazy(() => import('./draft-notices'));
const PromptGauge = lazy(() => import('./prompt-gauge'));

interface ChatDockProps {
  sending: Pick<ReturnType<typeof useSend>, 'state' | 'retry' | 'cancel'>;
  /** Asks the model that is chosen, or a pair of them. */
  onSend: (content: string, files: readonly Attached[], models?: Pair) => void;
  draft: string;
  onDraft: (text: string) => void;
  attachments: Attachments;
  /** Where the draft would go. */
  place: Place;
  /** The answers being made. */
  answering: Message[];
  /** Why nothing can be asked here now, if so. */
  blocked?: string | null;
  /** How the conversation is answered; null while that is not known. */
  chosen: Chosen | null;
  handle?: Ref<ComposerHandle>;
}

/** The bottom of the page: the composer, and above it whatever stands in its way. */
export function ChatDock(props: ChatDockProps) {
  const {
    sending,
    onSend,
    draft,
    onDraft,
    attachments,
    place,
    answering,
    blocked = null,
    chosen,
    handle,
  } = props;
  const online = useOnline();
  const { stop, stopping } = useStop(answering);
  const { state, retry, cancel } = sending;
  const { files } = attachments;
  const { model, others } = rivals(useModelChoices()?.items ?? [], chosen);
  const estimate = useEstimate(place, draft, files);
  const [pasted, setPasted] = useState<string | null>(null);
  const longPaste = pasted && draft.includes(pasted) ? pasted : null;
  const makeFile = () => {
    if (!longPaste) return;
    attachments.add([new File([longPaste], 'pasted.txt')]);
    onDraft(draft.replace(longPaste, () => ''));
  };
  const busy = state.kind === 'sending' || state.kind === 'waiting';
  const over = estimate?.over_tokens ? `${formatCount(estimate.over_tokens)} tokens too long` : null;
  return (
    <div className="relative mx-auto flex w-full max-w-[48rem] flex-col gap-2 px-3 pb-3 before:pointer-events-none before:absolute before:inset-x-0 before:-top-6 before:h-6 before:bg-linear-to-t before:from-background before:to-transparent sm:px-6 sm:pb-5">
      {!online && (
        <Notice tone="warning">
          You are offline. Your draft is kept; you can send it when you are back.
        </Notice>
      )}
      <SendNotice state={state} onRetry={retry} onCancel={cancel} />
      <Suspense>
        {(longPaste || over || attachments.refused.length > 0) && (
          <DraftNotices
            attachments={attachments}
            estimate={estimate}
            pasted={longPaste}
            onMakeFile={makeFile}
            onKeepText={() => setPasted(null)}
          />
        )}
      </Suspense>
      <Composer
        handle={handle}
        draft={draft}
        onDraft={onDraft}
        onSend={(content) => onSend(content, files)}
        others={others}
        onCompare={(content, other) => onSend(content, files, [model, other])}
        onStop={stop}
        stopping={stopping}
        busy={busy}
        blocked={online ? (blocked ?? over) : 'you are offline'}
        onFiles={attachments.add}
        onLongPaste={setPasted}
        top={
          files.length > 0 && (
            <Suspense fallback={<div className="h-8" />}>
              <AttachmentChips files={files} onRemove={busy ? undefined : attachments.remove} />
            </Suspense>
          )
        }
        tools={<AttachButton onFiles={attachments.add} disabled={busy} />}
        status={
          estimate && (
            <Suspense>
              <PromptGauge estimate={estimate} />
            </Suspense>
          )
        }
      />
      <ModelLine chosen={chosen} />
    </div>
  );
}

/** The model that answers, and those that it can be compared with: none when it is not served. */
function rivals(models: ServedModel[], chosen: Chosen | null): { model: string; others: string[] } {
  const names = models.map(({ name }) => name);
  const model = chosen?.settings.model ?? names[0] ?? '';
  return { model, others: names.includes(model) ? names.filter((name) => name !== model) : [] };
}
