import { createContext, useContext } from 'react';

/** What the message field and the questions ask of the library of prompts, which is a feature of its own. */
export interface PromptLibrary {
  /** Lets one choose a prompt, which then goes into the message field. */
  choose: () => void;
  /** Lets one keep a text as a prompt. */
  keep: (content: string) => void;
  /** The message field says how a prompt is put into it; returns what takes that back. */
  receive: (insert: (content: string) => void) => () => void;
}

const nothing = () => undefined;

export const PromptLibraryContext = createContext<PromptLibrary>({
  choose: nothing,
  keep: nothing,
  receive: () => nothing,
});

export function usePromptLibrary(): PromptLibrary {
  return useContext(PromptLibraryContext);
}
