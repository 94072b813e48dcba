import { Button } from '@/components/ui/button';
import { Notice } from '@/components/ui/notice';
import { useCountdown } from '@/lib/use-countdown';
import type { SendState } from './use-send';

interface SendNoticeProps {
  state: SendState;
  onRetry: () => void;
  onCancel: () => void;
}

/** Why a message was not taken, and what happens next. The draft is still in the composer. */
export function SendNotice({ state, onRetry, onCancel }: SendNoticeProps) {
  const left = useCountdown(state.kind === 'waiting' ? state.until : null);
  if (state.kind === 'waiting') {
    return (
      <Notice
        tone="warning"
        actions={
          <Button size="sm" onClick={onCancel}>
            Cancel
          </Button>
        }
      >
        {state.detail} <span className="tabular-nums">Sending again in {left} s.</span>
      </Notice>
    );
  }
  if (state.kind !== 'failed') return null;
  return (
    <Notice
      tone="error"
      actions={
        state.retryable && (
          <Button size="sm" onClick={onRetry}>
            Retry
          </Button>
        )
      }
    >
      {state.detail}
    </Notice>
  );
}
