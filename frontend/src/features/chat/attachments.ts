import type { NewAttachment } from '@/api/generated';
import { MAX_FILE_BYTES, MAX_FILES, MAX_FILES_BYTES } from '@/config/app';
import { formatBytes } from '@/lib/format';

/** A file that goes with a draft. */
export interface Attached extends NewAttachment {
  id: string;
  /** In bytes. */
  size: number;
}

export interface Taken {
  files: Attached[];
  /** A sentence for each file that was not taken. */
  refused: string[];
}

/** What no text file has in it. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const BINARY = /[\u0000-\u0006\u000e-\u001a\u001c-\u001f\u007f]/;

/**
 * The files of a draft with some more. Each is looked at before it is read, and read before it is sent: what the server
 * would refuse never leaves the browser. A file of the same name is replaced.
 */
export async function takeFiles(before: Attached[], incoming: File[], newId: () => string): Promise<Taken> {
  let files = before;
  const refused: string[] = [];
  for (const file of incoming) {
    const others = files.filter(({ name }) => name !== file.name);
    const problem = problemWith(others, file);
    const content = problem ? null : await textOf(file);
    if (problem) refused.push(problem);
    else if (content === null)
      refused.push(`${file.name} is no text in UTF-8; only text files can be attached.`);
    else files = [...others, { id: newId(), name: file.name, content, size: file.size }];
  }
  return { files, refused };
}

function problemWith(others: Attached[], { name, size }: File): string | null {
  if (size === 0) return `${name} is empty, or a folder; attach the files in it.`;
  if (size > MAX_FILE_BYTES) {
    return `${name} has ${formatBytes(size)}, and a file may have ${formatBytes(MAX_FILE_BYTES)}; attach the part that matters.`;
  }
  const together = others.reduce((sum, other) => sum + other.size, size);
  if (together > MAX_FILES_BYTES) {
    return `${name} would make it ${formatBytes(together)} together, and ${formatBytes(MAX_FILES_BYTES)} are the limit; remove another first.`;
  }
  return others.length >= MAX_FILES ? `${name} would be one more than ${MAX_FILES} files.` : null;
}

/** The text of a file; null when it is none, or cannot be read. */
async function textOf(file: File): Promise<string | null> {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(await file.arrayBuffer());
    return BINARY.test(text) ? null : text;
  } catch {
    return null;
  }
}
