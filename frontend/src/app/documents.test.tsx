import { screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { HttpResponse, http } from 'msw';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { Document, UploadDocuments } from '@/api/generated';
import { makeMe } from '@/testing/fixtures';
import { renderApp } from '@/testing/render';
import { server } from '@/testing/server';

const FILE: Document = {
  id: 'document-1',
  repo: 'tools',
  path: 'lib/a.py',
  language: 'python',
  license: 'MIT',
  sha256: '',
  created_at: '2026-11-21T10:00:00Z',
};

/** A server with source files; `upload` answers each portion. */
function serve(files: Document[], upload?: (body: UploadDocuments) => Response): UploadDocuments[] {
  const sent: UploadDocuments[] = [];
  server.use(
    http.get('*/api/me', () => HttpResponse.json(makeMe())),
    http.get('*/api/conversations', () => HttpResponse.json({ pinned: [], items: [], next_before: null })),
    http.get('*/api/admin/documents/repos', () =>
      HttpResponse.json({ items: [{ name: 'tools', files: files.length, characters: 10, erased: 0 }] }),
    ),
    http.get('*/api/admin/documents', () => HttpResponse.json({ items: files, next_after: null })),
    http.get('*/api/admin/documents/document-1', () => HttpResponse.json({ ...FILE, content: 'x = 1\n' })),
    http.post('*/api/admin/documents', async ({ request }) => {
      const body = (await request.json()) as UploadDocuments;
      sent.push(body);
      return upload?.(body) ?? HttpResponse.json({ counts: { new: body.files.length } });
    }),
  );
  return sent;
}

/** A file as a folder's dialog gives it. */
function inFolder(path: string, content: BlobPart = 'x = 1\n'): File {
  const file = new File([content], path.split('/').at(-1) ?? path);
  Object.defineProperty(file, 'webkitRelativePath', { value: path });
  return file;
}

async function chooseFolder(...files: File[]) {
  await userEvent.upload(await screen.findByLabelText('A folder of source files'), files);
  return screen.findByRole('dialog');
}

beforeEach(() => {
  window.scrollTo = vi.fn();
});

describe('the documents', () => {
  it('come in as a folder, which names the repository; what is no source is left out with a sentence', async () => {
    const sent = serve([]);
    renderApp('/admin/documents');
    const dialog = await chooseFolder(
      inFolder('tools/a.py'),
      inFolder('tools/lib/b.py'),
      inFolder('tools/logo.png', new Uint8Array([1, 0])),
      inFolder('tools/dump.sql', 'x'.repeat(200_001)),
    );
    expect(dialog).toHaveTextContent('1 file is larger than 200.0 kB (dump.sql)');
    expect(dialog).toHaveTextContent('1 file is not text in UTF-8 (logo.png)');
    expect(within(dialog).getByLabelText('Repository')).toHaveValue('tools');
    await userEvent.type(within(dialog).getByLabelText('License'), 'MIT');
    await userEvent.click(within(dialog).getByRole('button', { name: 'Upload 2 files' }));
    expect(await within(dialog).findByText('new')).toBeInTheDocument();
    expect(sent).toEqual([
      {
        repo: 'tools',
        license: 'MIT',
        files: [
          { path: 'a.py', content: 'x = 1\n' },
          { path: 'lib/b.py', content: 'x = 1\n' },
        ],
        license_files: [],
      },
    ]);
  });

  it('go on where a portion failed, and count over all portions', async () => {
    let failures = 1;
    const sent = serve([], () => {
      if (sent.length === 2 && failures-- > 0)
        return HttpResponse.json({ detail: 'The database cannot be reached.' }, { status: 503 });
      return HttpResponse.json({
        counts: { new: 90, generated: 4, empty: 3, license: 2, a_later_reason: 1 },
      });
    });
    renderApp('/admin/documents');
    const files = Array.from({ length: 200 }, (_, i) => inFolder(`tools/${i}.py`));
    files[150] = inFolder('tools/LICENSE');
    const dialog = await chooseFolder(...files);
    await userEvent.click(within(dialog).getByRole('button', { name: 'Upload 200 files' }));
    expect(await within(dialog).findByRole('alert')).toHaveTextContent(
      'The database cannot be reached. 100 of 200 files were taken in before that.',
    );
    await userEvent.click(within(dialog).getByRole('button', { name: 'Go on' }));
    const outcome = await within(dialog).findByRole('status');
    expect(outcome).toHaveTextContent('new180');
    expect(outcome).toHaveTextContent('generated8');
    expect(outcome).toHaveTextContent('empty6');
    expect(outcome).toHaveTextContent('under a license that is not learned from4');
    expect(outcome).toHaveTextContent(/a later reason2/i);
    expect(sent.map(({ files: portion }) => portion[0]?.path)).toEqual(['0.py', '100.py', '100.py']);
    const texts = sent.map(({ license_files: above = [] }) => above.map(({ path }) => path));
    expect(texts).toEqual([['LICENSE'], ['LICENSE'], ['LICENSE']]);
  });

  it('are read, and erased once that was confirmed', async () => {
    const files = [FILE];
    serve(files);
    server.use(
      http.delete('*/api/admin/documents/document-1', () => {
        files.pop();
        return new HttpResponse(null, { status: 204 });
      }),
    );
    renderApp('/admin/documents');
    await userEvent.click(await screen.findByRole('button', { name: /lib\/a\.py/ }));
    const reader = await screen.findByRole('dialog');
    expect(await within(reader).findByText('x = 1')).toBeInTheDocument();
    await userEvent.click(within(reader).getByRole('button', { name: 'Erase' }));
    const question = await screen.findByRole('alertdialog');
    expect(question).toHaveTextContent(/neither this path nor the same content is taken in again/);
    await userEvent.click(within(question).getByRole('button', { name: 'Erase for good' }));
    expect(await screen.findByText(/No source files yet/)).toBeInTheDocument();
    await waitFor(() => expect(screen.queryByRole('dialog')).not.toBeInTheDocument());
  });
});
