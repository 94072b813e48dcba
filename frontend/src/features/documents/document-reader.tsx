import { Trash2 } from 'lucide-react';
import { useState } from 'react';
import type { Document } from '@/api/generated';
import { sentenceOf } from '@/api/problem';
import { SourceUses } from '@/components/lineage/source-uses';
import { Button } from '@/components/ui/button';
import { Confirm, Dialog } from '@/components/ui/dialog';
import { Notice } from '@/components/ui/notice';
import { Skeleton } from '@/components/ui/skeleton';
import { Time } from '@/components/ui/time';
import { useDocument, useErase } from './queries';

interface DocumentReaderProps {
  document: Document;
  open: boolean;
  onOpenChange: (open: boolean) => void;
}

/** A file to read, and to erase. */
export function DocumentReader({ document, open, onOpenChange }: DocumentReaderProps) {
  const [asking, setAsking] = useState(false);
  const { data, error, isPending } = useDocument(document.id);
  const erase = useErase();
  return (
    <Dialog
      open={open}
      onOpenChange={onOpenChange}
      title={document.path}
      description={
        <>
          {[document.repo, document.language, document.license ?? 'no license written down'].join(' · ')} ·
          taken in <Time at={document.created_at} />
        </>
      }
      className="max-w-3xl"
    >
      {isPending && <Skeleton rows={5} />}
      {error && <Notice tone="error">{sentenceOf(error)}</Notice>}
      {erase.isError && <Notice tone="error">{sentenceOf(erase.error)}</Notice>}
      {data && (
        <section aria-label="Content" className="min-h-0">
          {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard */}
          <pre tabIndex={0} className="max-h-[55dvh] overflow-auto rounded-lg border bg-code p-3 text-xs">
            {data.content}
          </pre>
        </section>
      )}
      <SourceUses source="document" sourceId={document.id} />
      <div className="flex flex-wrap justify-between gap-2">
        <Button disabled={erase.isPending} onClick={() => setAsking(true)} className="text-destructive">
          <Trash2 aria-hidden />
          {erase.isPending ? 'Erasing…' : 'Erase'}
        </Button>
        <Button variant="primary" onClick={() => onOpenChange(false)}>
          Close
        </Button>
      </div>
      <Confirm
        open={asking}
        onOpenChange={setAsking}
        title="Erase this file for good?"
        description={`${document.path} of ${document.repo} loses its text. No run learns from it any more, and neither this path nor the same content is taken in again. Versions that have learned from it stay as they are until the next run.`}
        action="Erase for good"
        danger
        onConfirm={() => erase.mutate(document, { onSuccess: () => onOpenChange(false) })}
      />
    </Dialog>
  );
}
