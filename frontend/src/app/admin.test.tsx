import { screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { HttpResponse, http } from 'msw';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { Me, User } from '@/api/generated';
import { makeAuditEntry, makeMe, makeUser } from '@/testing/fixtures';
import { renderApp } from '@/testing/render';
import { server } from '@/testing/server';

const ADA = makeUser({ id: 'user-1', email: 'a@example.org', name: 'Ada', role: 'admin' });
const BOB = makeUser();
const LINK = { url: 'http://localhost/welcome#secret', expires_at: '2026-11-23T10:00:00Z' };

/** A server with people; it gives `size` of them at once, and remembers how it was asked. */
function serve(people: User[], { me = {}, size = 50 }: { me?: Partial<Me>; size?: number } = {}): URL[] {
  const asked: URL[] = [];
  server.use(
    http.get('*/api/me', () => HttpResponse.json(makeMe({ auth_mode: 'accounts', ...me }))),
    http.get('*/api/conversations', () => HttpResponse.json({ pinned: [], items: [], next_before: null })),
    http.get('*/api/admin/users', ({ request }) => {
      const url = new URL(request.url);
      asked.push(url);
      const after = url.searchParams.get('after') ?? '';
      const search = url.searchParams.get('search') ?? '';
      const found = people.filter(({ email }) => email.includes(search) && email > after);
      const items = found.slice(0, size);
      return HttpResponse.json({ items, next_after: found.length > size ? items.at(-1)?.email : null });
    }),
  );
  return asked;
}

async function choose(email: string, action: string) {
  await userEvent.click(await screen.findByRole('button', { name: `Actions for ${email}` }));
  await userEvent.click(await screen.findByRole('menuitem', { name: action }));
  return screen.findByRole('dialog');
}

const rows = () => screen.queryAllByRole('rowheader').map((row) => row.querySelector('p')?.textContent);

beforeEach(() => {
  window.scrollTo = vi.fn();
});

describe('the users', () => {
  it('are searched by the server once the typing has paused, and shown a page at a time', async () => {
    const asked = serve([ADA, BOB, makeUser({ id: 'user-3', email: 'c@example.org' })], { size: 2 });
    renderApp('/admin/users');
    await waitFor(() => expect(rows()).toEqual(['a@example.org', 'b@example.org']));
    await userEvent.click(screen.getByRole('button', { name: 'Show more' }));
    await waitFor(() => expect(rows()).toHaveLength(3));
    expect(screen.queryByRole('button', { name: 'Show more' })).not.toBeInTheDocument();
    await userEvent.type(screen.getByRole('searchbox', { name: 'Search users' }), 'c@ex');
    await waitFor(() => expect(rows()).toEqual(['c@example.org']));
    expect(asked.map((url) => url.searchParams.get('search'))).toEqual(['', '', 'c@ex']);
    await userEvent.type(screen.getByRole('searchbox'), 'nobody');
    expect(await screen.findByText('Nobody here has “c@exnobody” in name or address.')).toBeInTheDocument();
  });

  it('are invited with a link that is shown once', async () => {
    serve([ADA]);
    const sent: unknown[] = [];
    server.use(
      http.post('*/api/admin/users', async ({ request }) => {
        sent.push(await request.json());
        return HttpResponse.json({ user: BOB, link: LINK }, { status: 201 });
      }),
    );
    renderApp('/admin/users');
    await userEvent.click(await screen.findByRole('button', { name: 'Invite' }));
    const dialog = await screen.findByRole('dialog');
    await userEvent.type(within(dialog).getByLabelText('E-mail'), 'b@example.org');
    await userEvent.type(within(dialog).getByLabelText('Name'), 'Bob');
    await userEvent.click(within(dialog).getByRole('button', { name: 'Make the account' }));
    expect(await within(dialog).findByLabelText('Link')).toHaveValue(LINK.url);
    expect(dialog).toHaveTextContent(/no e-mail goes out from here.*until 23 Nov/);
    expect(sent).toEqual([{ email: 'b@example.org', name: 'Bob', role: 'member' }]);
  });

  it('stay as they are when the server refuses, and its sentence says why', async () => {
    serve([ADA]);
    const detail = 'This is the only admin; make another one first.';
    server.use(
      http.patch('*/api/admin/users/user-1', () =>
        HttpResponse.json({ detail, code: 'conflict' }, { status: 409 }),
      ),
    );
    renderApp('/admin/users');
    const dialog = await choose('a@example.org', 'Make member');
    expect(dialog).toHaveTextContent('Give up being an admin?');
    await userEvent.click(within(dialog).getByRole('button', { name: 'Make member' }));
    expect(await within(dialog).findByRole('alert')).toHaveTextContent(detail);
  });

  it('are deactivated once that was confirmed', async () => {
    const people = [ADA, BOB];
    serve(people);
    const sent: unknown[] = [];
    server.use(
      http.patch('*/api/admin/users/user-2', async ({ request }) => {
        sent.push(await request.json());
        people[1] = makeUser({ active: false });
        return HttpResponse.json(people[1]);
      }),
    );
    renderApp('/admin/users');
    const dialog = await choose('b@example.org', 'Deactivate');
    await userEvent.click(within(dialog).getByRole('button', { name: 'Deactivate' }));
    expect(await screen.findAllByText('Deactivated')).not.toHaveLength(0);
    expect(sent).toEqual([{ active: false }]);
  });

  it('are deleted only once their address has been typed', async () => {
    const people = [ADA, BOB];
    serve(people);
    server.use(
      http.delete('*/api/admin/users/user-2', () => {
        people.pop();
        return new HttpResponse(null, { status: 204 });
      }),
    );
    renderApp('/admin/users');
    const dialog = await choose('b@example.org', 'Delete');
    const sure = within(dialog).getByRole('button', { name: 'Delete for good' });
    expect(sure).toBeDisabled();
    await userEvent.type(within(dialog).getByLabelText(/^Type/), 'b@example.org');
    await userEvent.click(sure);
    await waitFor(() => expect(rows()).toEqual(['a@example.org']));
  });

  it('are nothing for members, who are told so', async () => {
    const asked = serve([ADA], { me: { role: 'member' } });
    renderApp('/admin/users');
    expect(
      await screen.findByRole('heading', { name: 'This page is for administrators' }),
    ).toBeInTheDocument();
    expect(asked).toEqual([]);
  });
});

describe('the way to the pages for admins', () => {
  it('begins in the sidebar, with what each page is for', async () => {
    serve([]);
    renderApp('/');
    await userEvent.click(await screen.findByRole('link', { name: 'Admin' }));
    expect(await screen.findByRole('heading', { name: 'Admin' })).toBeInTheDocument();
    const pages = within(screen.getByRole('navigation', { name: 'Admin pages' }));
    expect(pages.getAllByRole('link').map((link) => link.textContent)).toEqual(
      expect.arrayContaining(['Users', 'Models & runs', 'Documents', 'Usage', 'Audit log']),
    );
    await userEvent.click(screen.getByRole('link', { name: /Invite people/ }));
    expect(await screen.findByRole('heading', { name: 'Users' })).toBeInTheDocument();
    expect(pages.getByRole('link', { name: 'Users' })).toHaveAttribute('aria-current', 'page');
  });

  it('is not shown to members', async () => {
    serve([], { me: { role: 'member' } });
    renderApp('/');
    expect(await screen.findByRole('textbox', { name: 'Message' })).toBeInTheDocument();
    expect(screen.queryByRole('link', { name: 'Admin' })).not.toBeInTheDocument();
  });

  it.each(['/admin', '/admin/documents', '/admin/usage', '/admin/audit', '/models/runs/run-1/rows'])(
    'ends for members at %s with a friendly word',
    async (path) => {
      serve([], { me: { role: 'member' } });
      renderApp(path);
      expect(
        await screen.findByRole('heading', { name: 'This page is for administrators' }),
      ).toBeInTheDocument();
    },
  );
});

describe('the usage', () => {
  const quiet = {
    people: 0,
    chat_answers: 0,
    api_calls: 0,
    prompt_tokens: 0,
    completion_tokens: 0,
    first_token_p50_s: null,
    first_token_p95_s: null,
  };

  it('is drawn day by day, read out in a sentence, and a table on demand', async () => {
    serve([]);
    const asked: (string | null)[] = [];
    server.use(
      http.get('*/api/admin/usage', ({ request }) => {
        asked.push(new URL(request.url).searchParams.get('days'));
        const days = [
          { ...quiet, day: '2026-11-20', people: 2, chat_answers: 30, api_calls: 12, first_token_p50_s: 0.4 },
          { ...quiet, day: '2026-11-21' },
        ];
        return HttpResponse.json({ days });
      }),
    );
    renderApp('/admin/usage');
    expect(
      await screen.findByRole('img', { name: 'Answers. 30 in chats and 12 through the API in all.' }),
    ).toBeInTheDocument();
    await userEvent.click(screen.getByText(': Time to the first token'));
    const table = await screen.findByRole('region', { name: 'Time to the first token, as a table' });
    expect(within(table).getByRole('row', { name: '20 Nov 0.40 s –' })).toBeInTheDocument();
    await userEvent.selectOptions(screen.getByLabelText('Days'), 'Last 7 days');
    await waitFor(() => expect(asked).toEqual(['30', '7']));
  });

  it('says so when there is none', async () => {
    serve([]);
    server.use(
      http.get('*/api/admin/usage', () => HttpResponse.json({ days: [{ ...quiet, day: '2026-11-21' }] })),
    );
    renderApp('/admin/usage');
    expect(await screen.findByText(/Nobody has asked anything/)).toBeInTheDocument();
  });
});

describe('the audit log', () => {
  it('is read a page at a time, in sentences', async () => {
    serve([]);
    server.use(
      http.get('*/api/admin/audit', ({ request }) => {
        const second = new URL(request.url).searchParams.get('before') === 'entry-1';
        return HttpResponse.json(
          second
            ? {
                items: [makeAuditEntry({ id: 'entry-2', action: 'user.link' })],
                next_before: null,
              }
            : { items: [makeAuditEntry()], next_before: 'entry-1' },
        );
      }),
    );
    renderApp('/admin/audit');
    expect(await screen.findByText('a@example.org made an account for b@example.org')).toBeInTheDocument();
    expect(screen.getByText(/21 Nov/)).toHaveAttribute('title', expect.stringContaining('November 2026'));
    await userEvent.click(screen.getByRole('button', { name: 'Show more' }));
    expect(
      await screen.findByText('a@example.org made a password link for b@example.org'),
    ).toBeInTheDocument();
  });
});
