import type { ReactNode } from 'react';
import { cn } from '@/lib/cn';
import { useOptions } from '@/lib/use-options';

export interface Option {
  key: string;
  content: ReactNode;
  choose: () => void;
}

interface PickerProps {
  label: string;
  placeholder: string;
  words: string;
  onWords: (words: string) => void;
  /** What is offered. */
  listLabel: string;
  options: Option[];
  /** Height of the list, so that it does not jump while one types. */
  height: string;
}

/** A text field with a list under it, from which the arrow keys and Enter choose, or the pointer. */
export function Picker({ label, placeholder, words, onWords, listLabel, options, height }: PickerProps) {
  const list = useOptions(options.length, (index) => options[index]?.choose());
  return (
    <>
      <input
        role="combobox"
        aria-label={label}
        aria-expanded
        aria-controls={list.list}
        aria-activedescendant={list.activeId}
        aria-autocomplete="list"
        value={words}
        onChange={(event) => {
          onWords(event.target.value);
          list.setActive(0);
        }}
        onKeyDown={list.onKeyDown}
        maxLength={200}
        autoComplete="off"
        spellCheck={false}
        placeholder={placeholder}
        className="h-9 w-full rounded-lg border border-input bg-background px-3 pointer-coarse:text-[1rem] text-sm"
      />
      <div
        id={list.list}
        role="listbox"
        aria-label={listLabel}
        className={cn('-mx-2 overflow-y-auto px-2', height)}
      >
        {options.map(({ key, content, choose }, index) => (
          // biome-ignore lint/a11y/useKeyWithClickEvents: the keys are those of the text field, which keeps the focus
          <div
            key={key}
            id={list.idOf(index)}
            role="option"
            tabIndex={-1}
            aria-selected={index === list.active}
            onMouseMove={() => list.setActive(index)}
            onClick={choose}
            className={cn(
              'cursor-pointer rounded-lg px-2.5 py-2 text-sm',
              index === list.active && 'bg-secondary',
            )}
          >
            {content}
          </div>
        ))}
      </div>
    </>
  );
}
