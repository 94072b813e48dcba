import { screen, waitFor } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { HttpResponse, http } from 'msw';
import { beforeEach, describe, expect, it } from 'vitest';
import { makeMe } from '@/testing/fixtures';
import { renderApp } from '@/testing/render';
import { server } from '@/testing/server';

const PASSWORD = 'correct horse battery';
const ME = makeMe({ auth_mode: 'accounts', has_password: true });

/** A server where nobody is signed in, until somebody is. */
function serve(methods: { auth_mode: string; oidc: string | null }) {
  server.use(
    http.get('*/api/auth/methods', () => HttpResponse.json(methods)),
    http.get('*/api/me', () => HttpResponse.json(ME)),
    http.get('*/api/conversations', () => HttpResponse.json({ pinned: [], items: [], next_before: null })),
  );
}

async function fillIn(label: string, text: string) {
  await userEvent.type(await screen.findByLabelText(label), text);
}

describe('the sign-in', () => {
  beforeEach(() => serve({ auth_mode: 'accounts', oidc: null }));

  it.each([
    ['cancelled', /was cancelled/],
    ['unauthenticated', /took too long, or was begun in another browser/],
    ['forbidden', /account may not sign in here/],
    ['identity_provider_unavailable', /does not answer/],
    ['database_unavailable', /database cannot be reached/],
    ['<b>something else</b>', /did not work\. Try again/],
  ])('explains the problem %s', async (problem, sentence) => {
    renderApp(`/login?${new URLSearchParams({ problem })}`);
    expect(await screen.findByText(sentence)).toBeInTheDocument();
    expect(screen.queryByText(/something else/)).not.toBeInTheDocument();
  });

  it('leads to the identity provider where there is one, and back to the page', async () => {
    serve({ auth_mode: 'accounts', oidc: 'Acme' });
    renderApp('/login?next=%2Fmodels');
    const link = await screen.findByRole('link', { name: 'Continue with Acme' });
    expect(link).toHaveAttribute('href', '/api/auth/oidc/login?page=%2Fmodels');
  });

  it('counts down after too many attempts, then lets one try again', async () => {
    const detail = 'There were too many failed attempts; try again in 1 s.';
    server.use(
      http.post('*/api/auth/login', () =>
        HttpResponse.json(
          { detail, code: 'too_many_attempts' },
          { status: 429, headers: { 'Retry-After': '1' } },
        ),
      ),
    );
    renderApp('/login');
    await fillIn('E-mail', 'a@example.org');
    await fillIn('Password', 'wrong{Enter}');
    expect(await screen.findByRole('alert')).toHaveTextContent('too many failed attempts');
    expect(screen.getByRole('button', { name: /Try again in/ })).toBeDisabled();
    expect(await screen.findByRole('button', { name: 'Sign in' }, { timeout: 3000 })).toBeEnabled();
    expect(screen.queryByRole('alert')).not.toBeInTheDocument();
  });

  it('sends people on where nobody has to sign in', async () => {
    serve({ auth_mode: 'local', oidc: null });
    renderApp('/login');
    await waitFor(() => expect(window.location.pathname).toBe('/'));
  });
});

describe('a one-time link', () => {
  const EXPIRES = '2026-11-23T10:00:00Z';

  beforeEach(() => serve({ auth_mode: 'accounts', oidc: null }));

  it('leaves the address bar, and lets its owner choose a password', async () => {
    const sent: unknown[] = [];
    server.use(
      http.post('*/api/auth/link', () =>
        HttpResponse.json({ email: 'a@example.org', name: 'Ada', expires_at: EXPIRES }),
      ),
      http.post('*/api/auth/link/password', async ({ request }) => {
        sent.push(await request.json());
        return HttpResponse.json(ME);
      }),
    );
    renderApp('/welcome#the-token');
    expect(await screen.findByRole('heading', { name: 'Hello Ada, choose a password' })).toBeInTheDocument();
    expect(window.location.href).not.toContain('the-token');
    await fillIn('Password', 'short');
    expect(screen.getByText('7 more characters to go.')).toBeInTheDocument();
    await userEvent.clear(screen.getByLabelText('Password'));
    await fillIn('Password', PASSWORD);
    await userEvent.click(screen.getByRole('button', { name: 'Show the characters' }));
    expect(screen.getByLabelText('Password')).toHaveAttribute('type', 'text');
    await userEvent.click(screen.getByRole('button', { name: 'Save and sign in' }));
    expect(await screen.findByRole('textbox', { name: 'Message' })).toBeInTheDocument();
    expect(sent).toEqual([{ token: 'the-token', password: PASSWORD }]);
  });

  it('without an address makes the first administrator', async () => {
    const sent: unknown[] = [];
    server.use(
      http.post('*/api/auth/link', () => HttpResponse.json({ email: null, name: null, expires_at: EXPIRES })),
      http.post('*/api/auth/link/setup', async ({ request }) => {
        sent.push(await request.json());
        return HttpResponse.json(ME);
      }),
    );
    renderApp('/welcome#first');
    expect(await screen.findByRole('heading', { name: 'Make the first administrator' })).toBeInTheDocument();
    await fillIn('E-mail', 'a@example.org');
    await fillIn('Name', 'Ada');
    await fillIn('Password', `${PASSWORD}{Enter}`);
    expect(await screen.findByRole('textbox', { name: 'Message' })).toBeInTheDocument();
    expect(sent).toEqual([{ token: 'first', email: 'a@example.org', name: 'Ada', password: PASSWORD }]);
  });

  it('that is used or too old says so, and what to do', async () => {
    server.use(
      http.post('*/api/auth/link', () =>
        HttpResponse.json({ detail: 'This link has been used.', code: 'not_found' }, { status: 404 }),
      ),
    );
    renderApp('/welcome#old');
    expect(
      await screen.findByRole('heading', { name: 'This link does not work any more' }),
    ).toBeInTheDocument();
    expect(screen.getByText(/ask an administrator for a new link/)).toBeInTheDocument();
    expect(screen.getByRole('link', { name: 'Go to the sign-in' })).toHaveAttribute('href', '/login');
  });

  it('that cannot be checked now can be checked again', async () => {
    let away = true;
    server.use(
      http.post('*/api/auth/link', () =>
        away
          ? HttpResponse.json({ detail: 'Too many.', code: 'queue_full' }, { status: 429 })
          : HttpResponse.json({ email: 'a@example.org', name: 'Ada', expires_at: EXPIRES }),
      ),
    );
    renderApp('/welcome#token');
    const again = await screen.findByRole('button', { name: 'Try again' });
    away = false;
    await userEvent.click(again);
    expect(await screen.findByRole('heading', { name: /Hello Ada/ })).toBeInTheDocument();
  });

  it('is asked for where the page was opened without one', async () => {
    renderApp('/welcome');
    expect(await screen.findByRole('heading', { name: 'Open your link once more' })).toBeInTheDocument();
  });
});
