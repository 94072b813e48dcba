import { describe, expect, it } from 'vitest';
import { added, batchesOf, licensesAbove, refusalSentences, sift, textOf } from './intake';

const file = (path: string, content: BlobPart = 'x = 1\n') => ({
  path,
  file: new File([content], path.split('/').at(-1) ?? path),
});

describe('files that were chosen', () => {
  it('lose the name of the folder, which names the repository', async () => {
    const { repo, wanted } = await sift([file('tools/a.py'), file('tools/lib/b.py')]);
    expect(repo).toBe('tools');
    expect(wanted.map(({ path }) => path)).toEqual(['a.py', 'lib/b.py']);
  });

  it('keep their paths when they come from several folders, or from none', async () => {
    expect((await sift([file('a/x.py'), file('b/x.py')])).wanted.map(({ path }) => path)).toEqual([
      'a/x.py',
      'b/x.py',
    ]);
    expect((await sift([file('x.py'), file('y.py')])).repo).toBe('');
  });

  it('are left out with a sentence when there is nothing to learn in them', async () => {
    const { wanted, refused } = await sift([
      file('repo/a.py'),
      file('repo/.git/HEAD.py'),
      file('repo/web/node_modules/x/index.js'),
      file('repo/logo.png', new Uint8Array([137, 80, 0, 71])),
      file('repo/dump.sql', 'x'.repeat(200_001)),
    ]);
    expect(wanted.map(({ path }) => path)).toEqual(['a.py']);
    expect(refusalSentences(refused)).toEqual([
      '2 files in folders that hold no source of your own, such as node_modules or .git: left out.',
      '1 file is larger than 200.0 kB (dump.sql): too large to learn from, left out.',
      '1 file is not text in UTF-8 (logo.png): left out.',
    ]);
  });

  it('go in portions by number and by size', () => {
    const many = Array.from({ length: 250 }, (_, i) => file(`${i}.py`));
    expect(batchesOf(many).map((batch) => batch.length)).toEqual([100, 100, 50]);
    const large = Array.from({ length: 25 }, (_, i) => file(`${i}.py`, 'x'.repeat(190_000)));
    expect(batchesOf(large).map((batch) => batch.length)).toEqual([10, 10, 5]);
    expect(batchesOf([])).toEqual([]);
  });

  it('go with the license texts of the folders above them', () => {
    const files = [
      'COPYING',
      'a/LICENCE.md',
      'a/b/UNLICENSE',
      'c/LICENSE',
      'a/b/x.py',
      'licenses.d/y.py',
    ].map((path) => file(path));
    const of = (path: string) => licensesAbove([file(path)], files).map((candidate) => candidate.path);
    expect(of('a/b/x.py')).toEqual(['COPYING', 'a/LICENCE.md', 'a/b/UNLICENSE']);
    expect(of('a/z.py')).toEqual(['COPYING', 'a/LICENCE.md']);
    expect(of('top.py')).toEqual(['COPYING']);
  });

  it('are read only when they are text in UTF-8', async () => {
    expect(await textOf(new File(['naïve ☺'], 'a.py'))).toBe('naïve ☺');
    expect(await textOf(new File([new Uint8Array([0x63, 0xe9])], 'latin1.py'))).toBeNull();
    expect(await textOf(new File(['a\0b'], 'a.py'))).toBeNull();
  });

  it('are counted over all portions', () => {
    expect(added({ new: 2 }, { new: 1, empty: 3 })).toEqual({ new: 3, empty: 3 });
  });
});
