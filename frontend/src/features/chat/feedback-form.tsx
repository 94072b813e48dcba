import { X } from 'lucide-react';
import { type FormEvent, type KeyboardEvent, useId, useState } from 'react';
import type { Feedback, FeedbackIn } from '@/api/generated';
import { Button, IconButton } from '@/components/ui/button';
import { MAX_COMMENT_CHARACTERS } from '@/config/app';
import { type Rating, tagsFor } from './feedback-tags';

interface FeedbackFormProps {
  rating: Rating;
  feedback: Feedback;
  saving: boolean;
  onSave: (change: FeedbackIn) => void;
  onCorrect: () => void;
  onClose: () => void;
}

/** What one can add to a rating, which is stored already: tags, a comment, the answer as it should have been. */
export function FeedbackForm({ rating, feedback, saving, onSave, onCorrect, onClose }: FeedbackFormProps) {
  const [tags, setTags] = useState<readonly string[]>(feedback.tags);
  const [comment, setComment] = useState(feedback.comment ?? '');
  const id = useId();
  const toggle = (tag: string) =>
    setTags(tags.includes(tag) ? tags.filter((other) => other !== tag) : [...tags, tag]);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    onSave({ tags: [...tags], comment: comment.trim() || null });
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === 'Escape') onClose();
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) submit(event as unknown as FormEvent);
  };
  return (
    <form
      aria-label={rating === 1 ? 'About this good answer' : 'About this bad answer'}
      onSubmit={submit}
      onKeyDown={onKeyDown}
      className="relative order-last flex max-w-[40rem] basis-full flex-col gap-3 rounded-xl border bg-card p-4"
    >
      <IconButton label="Close" className="absolute top-2 right-2" onClick={onClose}>
        <X aria-hidden />
      </IconButton>
      <fieldset>
        <legend className="mb-2 pr-8 font-medium text-sm">
          {rating === 1 ? 'Thank you. What was good?' : 'Thank you. What was wrong?'}{' '}
          <span className="font-normal text-muted-foreground">All of this is optional.</span>
        </legend>
        <div className="flex flex-wrap gap-2">
          {tagsFor(rating, feedback.tags).map(([tag, words], index) => (
            <label
              key={tag}
              className="cursor-pointer select-none rounded-full border border-input px-3 py-1 text-sm hover:bg-muted has-[:checked]:border-primary has-[:checked]:bg-accent has-[:checked]:text-accent-foreground has-[:focus-visible]:outline-2 has-[:focus-visible]:outline-ring has-[:focus-visible]:outline-offset-2"
            >
              <input
                type="checkbox"
                className="sr-only"
                // biome-ignore lint/a11y/noAutofocus: the form opens on request, and is where one goes on
                autoFocus={index === 0}
                checked={tags.includes(tag)}
                onChange={() => toggle(tag)}
              />
              {words}
            </label>
          ))}
        </div>
      </fieldset>
      <div>
        <label htmlFor={id} className="mb-1 block font-medium text-sm">
          Comment
        </label>
        <textarea
          id={id}
          value={comment}
          onChange={(event) => setComment(event.target.value)}
          maxLength={MAX_COMMENT_CHARACTERS}
          rows={2}
          className="field-sizing-content block max-h-40 min-h-16 w-full resize-none rounded-lg border border-input bg-background px-3 py-2 pointer-coarse:text-[1rem] text-sm"
        />
      </div>
      <div className="flex flex-wrap justify-end gap-2">
        <Button variant="ghost" className="mr-auto" onClick={onCorrect}>
          {feedback.correction ? 'Change your corrected answer' : 'Write the corrected answer'}
        </Button>
        <Button type="submit" variant="primary" disabled={saving}>
          {saving ? 'Saving…' : 'Save'}
        </Button>
      </div>
    </form>
  );
}
