import { useId, useState } from 'react';
import { sentenceOf } from '@/api/problem';
import { Button } from '@/components/ui/button';
import { Dialog } from '@/components/ui/dialog';
import { Notice } from '@/components/ui/notice';

interface CorrectionEditorProps {
  /** The answer, or the correction there already is. */
  text: string;
  corrected: boolean;
  /** Rejects with the reason when it cannot be saved; null removes the correction. */
  onSave: (correction: string | null) => Promise<unknown>;
  onClose: () => void;
}

/** Edits an answer as it should have been. */
export function CorrectionEditor({ text, corrected, onSave, onClose }: CorrectionEditorProps) {
  const [draft, setDraft] = useState(text);
  const [saving, setSaving] = useState(false);
  const [problem, setProblem] = useState<string | null>(null);
  const label = useId();
  const unchanged = draft.trim() === '' || draft === text;

  const save = async (correction: string | null) => {
    setSaving(true);
    setProblem(null);
    try {
      await onSave(correction);
      onClose();
    } catch (error) {
      setProblem(sentenceOf(error));
      setSaving(false);
    }
  };

  return (
    <Dialog
      open
      onOpenChange={(open) => open || onClose()}
      title="Correct this answer"
      description="Write it as it should have been, in Markdown. Your version becomes training data: the next weekly run learns from it."
      className="max-w-3xl"
    >
      <label htmlFor={label} className="sr-only">
        Corrected answer
      </label>
      <textarea
        id={label}
        value={draft}
        onChange={(event) => setDraft(event.target.value)}
        spellCheck={false}
        className="h-[50dvh] w-full resize-none rounded-xl border border-input bg-code p-3.5 font-mono text-sm leading-relaxed"
      />
      {problem && <Notice tone="error">{problem}</Notice>}
      <div className="flex flex-wrap justify-end gap-2">
        {corrected && (
          <Button variant="ghost" className="mr-auto" disabled={saving} onClick={() => save(null)}>
            Remove correction
          </Button>
        )}
        <Button onClick={onClose}>Cancel</Button>
        <Button variant="primary" disabled={unchanged || saving} onClick={() => save(draft)}>
          {saving ? 'Saving…' : 'Save correction'}
        </Button>
      </div>
    </Dialog>
  );
}
