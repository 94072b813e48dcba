import { expect, it } from 'vitest';
import { MAX_FILE_BYTES, MAX_FILES } from '@/config/app';
import { type Attached, takeFiles } from './attachments';

let made = 0;
const newId = () => {
  made += 1;
  return String(made);
};
const take = (before: Attached[], ...files: File[]) => takeFiles(before, files, newId);
const text = (name: string, content: string) => new File([content], name);

it('takes text files with their names and sizes, and replaces one of the same name', async () => {
  const first = await take([], text('a.py', 'a = 1'), text('b.py', 'ä'));
  expect(first.files.map(({ name, content, size }) => [name, content, size])).toEqual([
    ['a.py', 'a = 1', 5],
    ['b.py', 'ä', 2],
  ]);
  const second = await take(first.files, text('a.py', 'a = 2'));
  expect(second.files.map(({ content }) => content)).toEqual(['ä', 'a = 2']);
});

it('refuses what is no text, and says so', async () => {
  const binary = new File([new Uint8Array([0x7f, 0x45, 0x4c, 0x46, 0, 1])], 'a.out');
  const latin1 = new File([new Uint8Array([0x63, 0x61, 0x66, 0xe9])], 'old.txt');
  const { files, refused } = await take([], binary, text('good.py', 'x'), latin1, text('empty', ''));
  expect(files.map(({ name }) => name)).toEqual(['good.py']);
  expect(refused).toEqual([
    'a.out is no text in UTF-8; only text files can be attached.',
    'old.txt is no text in UTF-8; only text files can be attached.',
    'empty is empty, or a folder; attach the files in it.',
  ]);
});

it('refuses a huge file without reading it', async () => {
  const huge = Object.defineProperty(text('core.dump', 'x'), 'size', { value: 50_000_000 });
  Object.defineProperty(huge, 'arrayBuffer', { value: () => Promise.reject(new Error('read')) });
  const { refused } = await take([], huge);
  expect(refused).toEqual([
    'core.dump has 50.0 MB, and a file may have 256.0 kB; attach the part that matters.',
  ]);
});

it('refuses more than fits together, and more than so many', async () => {
  const large = (name: string) => text(name, 'x'.repeat(MAX_FILE_BYTES));
  const { files, refused } = await take([], large('1'), large('2'), text('3', 'x'));
  expect(files).toHaveLength(2);
  expect(refused[0]).toContain('remove another first');
  const many = Array.from({ length: MAX_FILES + 1 }, (_, place) => text(`${place}`, 'x'));
  expect((await take([], ...many)).refused).toEqual([
    `${MAX_FILES} would be one more than ${MAX_FILES} files.`,
  ]);
});
