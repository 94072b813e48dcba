import { MAX_SOURCE_BYTES, UPLOAD_BATCH_BYTES, UPLOAD_BATCH_FILES } from '@/config/app';
import { formatBytes, formatCount } from '@/lib/format';

/** A file as it was chosen, with its path from the folder that was chosen on. */
export interface Candidate {
  path: string;
  file: File;
}

/** Why a file is not even sent. */
export type Refusal = 'folder' | 'large' | 'binary';

export interface Sifted {
  /** The folder's name, where one was chosen. */
  repo: string;
  wanted: Candidate[];
  refused: Record<Refusal, string[]>;
}

/** Folders that hold no source of one's own; the command line leaves out the same. */
const SKIPPED = new Set([
  'node_modules',
  'vendor',
  'third_party',
  'site-packages',
  'dist',
  'build',
  'target',
  'out',
  'venv',
  '__pycache__',
  '__snapshots__',
  'migrations',
]);

/** How much of a file is looked at to tell text from anything else. */
const HEAD_BYTES = 8_192;

/** Which of the chosen files are worth sending, and why the others are not. */
export async function sift(candidates: Candidate[]): Promise<Sifted> {
  const { repo, inside } = withoutCommonFolder(candidates);
  const sifted: Sifted = { repo, wanted: [], refused: { folder: [], large: [], binary: [] } };
  for (const candidate of inside) {
    const refusal = await refusalOf(candidate);
    if (refusal) sifted.refused[refusal].push(candidate.path);
    else sifted.wanted.push(candidate);
  }
  return sifted;
}

/** What is inside the one folder that was chosen, if it was one; its name is a good name for the repository. */
function withoutCommonFolder(candidates: Candidate[]): { repo: string; inside: Candidate[] } {
  const folders = new Set(
    candidates.map(({ path }) => (path.includes('/') ? path.slice(0, path.indexOf('/')) : '')),
  );
  const [repo = ''] = folders;
  if (folders.size !== 1 || repo === '') return { repo: '', inside: candidates };
  return { repo, inside: candidates.map(({ path, file }) => ({ path: path.slice(repo.length + 1), file })) };
}

async function refusalOf({ path, file }: Candidate): Promise<Refusal | null> {
  if (path.split('/').slice(0, -1).some(isSkipped)) return 'folder';
  if (file.size > MAX_SOURCE_BYTES) return 'large';
  const head = new Uint8Array(await file.slice(0, HEAD_BYTES).arrayBuffer());
  return head.includes(0) ? 'binary' : null;
}

function isSkipped(folder: string): boolean {
  return folder.startsWith('.') || folder.endsWith('.egg-info') || SKIPPED.has(folder);
}

/** Files in portions that one request can carry, in their order. */
export function batchesOf(files: Candidate[]): Candidate[][] {
  const batches: Candidate[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const file of files) {
    const last = batches.at(-1);
    if (last && last.length < UPLOAD_BATCH_FILES && bytes + file.file.size <= UPLOAD_BATCH_BYTES) {
      last.push(file);
      bytes += file.file.size;
    } else {
      batches.push([file]);
      bytes = file.file.size;
    }
  }
  return batches;
}

const LICENSE_FILE = /^(un)?licen[cs]es?([.\-_].*)?$|^copying([.\-_].*)?$/i;

/** License texts among files that may hold for some of them: those in the folders above them. */
export function licensesAbove(some: Candidate[], files: Candidate[]): Candidate[] {
  const above = new Set(some.flatMap(({ path }) => foldersAbove(path)));
  return files.filter(({ path }) => {
    const [folder, name] = [folderOf(path), path.slice(path.lastIndexOf('/') + 1)];
    return LICENSE_FILE.test(name) && above.has(folder);
  });
}

function folderOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')));
}

/** `a/b/c.py`: `a/b`, `a`, and the folder of all, which has no name. */
function foldersAbove(path: string): string[] {
  const folder = folderOf(path);
  return folder === '' ? [''] : [folder, ...foldersAbove(folder)];
}

/** A file's text, or null when it is none: another encoding than UTF-8, or no text at all. */
export async function textOf(file: File): Promise<string | null> {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(await file.arrayBuffer());
    return text.includes('\0') ? null : text;
  } catch {
    return null;
  }
}

const REFUSALS: Record<Refusal, (files: string) => string> = {
  folder: (files) =>
    `${files} in folders that hold no source of your own, such as node_modules or .git: left out.`,
  large: (files) =>
    `${files} larger than ${formatBytes(MAX_SOURCE_BYTES)}: too large to learn from, left out.`,
  binary: (files) => `${files} not text in UTF-8: left out.`,
};

/** What was left out, in sentences. Files are named, unless whole folders are left out on purpose. */
export function refusalSentences(refused: Sifted['refused']): string[] {
  return (Object.keys(REFUSALS) as Refusal[])
    .filter((kind) => refused[kind].length > 0)
    .map((kind) => {
      const paths = refused[kind];
      const count = `${formatCount(paths.length)} ${paths.length === 1 ? 'file' : 'files'}`;
      const names = kind === 'folder' ? '' : ` ${named(paths)}`;
      const verb = kind === 'folder' ? '' : paths.length === 1 ? ' is' : ' are';
      return REFUSALS[kind](`${count}${verb}`).replace(/: /, `${names}: `);
    });
}

function named(paths: string[]): string {
  const more = paths.length - 3;
  return `(${paths.slice(0, 3).join(', ')}${more > 0 ? ` and ${formatCount(more)} more` : ''})`;
}

/** What the server did with files, in words; in the order in which they are of interest. */
export const OUTCOMES: Record<string, string> = {
  new: 'new',
  changed: 'changed',
  unchanged: 'unchanged',
  unknown_language: 'in a language that is not trained on',
  license: 'under a license that is not learned from',
  foreign_folder: 'in folders that hold no source of your own',
  generated: 'generated',
  minified: 'minified',
  empty: 'empty',
  too_large: 'too large',
  binary: 'not text',
  tombstoned: 'erased before, and not taken in again',
  not_text: 'not text in UTF-8',
};

export type Counts = Record<string, number>;

export function added(counts: Counts, more: Counts): Counts {
  const sum = { ...counts };
  for (const [name, count] of Object.entries(more)) sum[name] = (sum[name] ?? 0) + count;
  return sum;
}
