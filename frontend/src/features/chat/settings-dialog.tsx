import { type FormEvent, useId, useState } from 'react';
import type { ChatDefaults, ChatSettings } from '@/api/generated';
import { sentenceOf } from '@/api/problem';
import { Button } from '@/components/ui/button';
import { Dialog } from '@/components/ui/dialog';
import { Field } from '@/components/ui/field';
import { Notice } from '@/components/ui/notice';
import { MAX_SYSTEM_PROMPT_CHARACTERS } from '@/config/app';
import type { Chosen } from './use-chat-settings';

interface SettingsDialogProps {
  chosen: Chosen;
  /** Null while they are not known. */
  defaults: ChatDefaults | null;
  open: boolean;
  onOpenChange: (open: boolean) => void;
}

/** What is typed; an empty field is the default. */
type Form = Record<'system_prompt' | 'temperature' | 'top_p' | 'max_tokens', string>;

const EMPTY: Form = { system_prompt: '', temperature: '', top_p: '', max_tokens: '' };

/** How this conversation is answered: system prompt, temperature, top-p and length. */
export function SettingsDialog({ chosen, defaults, open, onOpenChange }: SettingsDialogProps) {
  const [form, setForm] = useState(() => formOf(chosen.settings));
  const [saving, setSaving] = useState(false);
  const [problem, setProblem] = useState<string | null>(null);
  const prompt = useId();
  const set = (name: keyof Form) => (event: { target: { value: string } }) =>
    setForm({ ...form, [name]: event.target.value });
  const number = (name: keyof Form) => ({
    type: 'number',
    inputMode: 'decimal' as const,
    placeholder: defaults && name !== 'system_prompt' ? `Default: ${defaults[name]}` : 'Default',
    value: form[name],
    onChange: set(name),
  });

  const save = async (event: FormEvent) => {
    event.preventDefault();
    setSaving(true);
    setProblem(null);
    try {
      await chosen.save(settingsOf(form));
      onOpenChange(false);
    } catch (error) {
      setProblem(sentenceOf(error));
    } finally {
      setSaving(false);
    }
  };

  return (
    <Dialog
      open={open}
      onOpenChange={onOpenChange}
      title="Settings of this chat"
      description="They count from the next answer on. An empty field is the server's default."
      className="max-w-lg"
    >
      <form onSubmit={save} className="flex flex-col gap-4">
        <div>
          <label htmlFor={prompt} className="mb-1 block font-medium text-sm">
            System prompt
          </label>
          <textarea
            id={prompt}
            value={form.system_prompt}
            onChange={set('system_prompt')}
            maxLength={MAX_SYSTEM_PROMPT_CHARACTERS}
            rows={4}
            placeholder="Such as: Answer with code only, for Python 3.11."
            aria-describedby={`${prompt}-hint`}
            className="field-sizing-content block max-h-[30dvh] min-h-24 w-full resize-none rounded-lg border border-input bg-background px-3 py-2 text-sm placeholder:text-muted-foreground"
          />
          <p id={`${prompt}-hint`} className="mt-1 text-muted-foreground text-xs">
            What the model is told before the conversation. It is read with every answer.
          </p>
        </div>
        <div className="grid gap-4 sm:grid-cols-3">
          <Field
            label="Temperature"
            {...number('temperature')}
            min={0}
            max={2}
            step="any"
            hint="0 to 2. At 0 it always takes the likeliest word."
          />
          <Field
            label="Top-p"
            {...number('top_p')}
            min={0.01}
            max={1}
            step="any"
            hint="Up to 1. Lower leaves unlikely words out."
          />
          <Field
            label="Length limit"
            {...number('max_tokens')}
            min={1}
            max={defaults?.max_tokens}
            step={1}
            hint={defaults ? `Tokens, at most ${defaults.max_tokens}.` : 'Tokens of an answer.'}
          />
        </div>
        {problem && <Notice tone="error">{problem}</Notice>}
        <div className="flex flex-wrap justify-end gap-2">
          <Button variant="ghost" className="mr-auto" disabled={saving} onClick={() => setForm(EMPTY)}>
            Reset to defaults
          </Button>
          <Button onClick={() => onOpenChange(false)}>Cancel</Button>
          <Button type="submit" variant="primary" disabled={saving}>
            {saving ? 'Saving…' : 'Save'}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

function formOf(settings: ChatSettings): Form {
  const { system_prompt, temperature, top_p, max_tokens } = settings;
  return {
    system_prompt: system_prompt ?? '',
    temperature: temperature?.toString() ?? '',
    top_p: top_p?.toString() ?? '',
    max_tokens: max_tokens?.toString() ?? '',
  };
}

function settingsOf(form: Form): Partial<ChatSettings> {
  const number = (text: string) => (text.trim() === '' ? null : Number(text));
  return {
    system_prompt: form.system_prompt.trim() === '' ? null : form.system_prompt,
    temperature: number(form.temperature),
    top_p: number(form.top_p),
    max_tokens: number(form.max_tokens),
  };
}
