import type { Estimate } from '@/api/generated';
import { Button } from '@/components/ui/button';
import { Notice } from '@/components/ui/notice';
import { formatCount } from '@/lib/format';
import { cutWords } from './estimate-words';
import type { Attachments } from './use-attachments';

interface DraftNoticesProps {
  attachments: Attachments;
  estimate: Estimate | null;
  /** What was pasted and is long enough for a file. */
  pasted: string | null;
  onMakeFile: () => void;
  onKeepText: () => void;
}

/** What stands in the way of a draft, and what to do about it. */
export default function DraftNotices({
  attachments: { files, refused },
  estimate,
  pasted,
  onMakeFile,
  onKeepText,
}: DraftNoticesProps) {
  const cut =
    estimate &&
    cutWords(
      estimate,
      files.map(({ name }) => name),
    );
  return (
    <>
      {refused.map((sentence) => (
        <Notice key={sentence} tone="error">
          {sentence}
        </Notice>
      ))}
      {cut && (
        <Notice tone="warning">
          <span data-testid="cut">{cut}</span>
        </Notice>
      )}
      {pasted && (
        <Notice
          tone="info"
          actions={
            <>
              <Button size="sm" variant="primary" onClick={onMakeFile}>
                Make it a file
              </Button>
              <Button size="sm" onClick={onKeepText}>
                Keep it here
              </Button>
            </>
          }
        >
          You pasted {formatCount(pasted.length)} characters. As a file they leave room to write.
        </Notice>
      )}
    </>
  );
}
