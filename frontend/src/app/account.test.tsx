import { screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { HttpResponse, http } from 'msw';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { Me } from '@/api/generated';
import { makeApiKey, makeMe } from '@/testing/fixtures';
import { renderApp } from '@/testing/render';
import { server } from '@/testing/server';

const SECRET = 'cl-abcdefghijklmnopqrstuvwxyz';

/** A server where somebody is signed in. */
function serve(me: Partial<Me> = {}): void {
  const account = makeMe({ auth_mode: 'accounts', has_password: true, ...me });
  server.use(
    http.get('*/api/me', () => HttpResponse.json(account)),
    http.get('*/api/me/keys', () => HttpResponse.json({ items: [] })),
    http.get('*/api/conversations', () => HttpResponse.json({ pinned: [], items: [], next_before: null })),
    http.patch('*/api/me', async ({ request }) =>
      HttpResponse.json({ ...account, ...((await request.json()) as object) }),
    ),
  );
}

const region = (name: string) => screen.findByRole('region', { name });

beforeEach(() => {
  window.scrollTo = vi.fn();
});

describe('the account menu', () => {
  async function entries(me: Partial<Me>, name: string): Promise<(string | null)[]> {
    serve(me);
    renderApp('/');
    await userEvent.click(await screen.findByRole('button', { name: `Account menu: ${name}` }));
    return (await screen.findAllByRole('menuitem')).map((item) => item.textContent);
  }

  it('leads to the settings, and out', async () => {
    expect(await entries({}, 'Ada')).toEqual(['Settings', 'Sign out']);
  });

  it('has no way out where there is no sign-in', async () => {
    expect(await entries({ auth_mode: 'local' }, 'You')).toEqual(['Settings']);
  });

  it('opens the settings', async () => {
    await entries({}, 'Ada');
    await userEvent.click(screen.getByRole('menuitem', { name: 'Settings' }));
    expect(await screen.findByRole('heading', { name: 'Settings' })).toBeInTheDocument();
    expect(window.location.pathname).toBe('/settings');
  });
});

describe('the settings', () => {
  it('show a new key once, with an example that works here', async () => {
    serve();
    const sent: unknown[] = [];
    server.use(
      http.post('*/api/me/keys', async ({ request }) => {
        sent.push(await request.json());
        server.use(http.get('*/api/me/keys', () => HttpResponse.json({ items: [makeApiKey()] })));
        return HttpResponse.json({ ...makeApiKey(), key: SECRET }, { status: 201 });
      }),
    );
    renderApp('/settings');
    const keys = await region('API keys');
    expect(keys).toHaveTextContent(`${window.location.origin}/v1`);
    expect(await within(keys).findByText(/No key yet/)).toBeInTheDocument();
    await userEvent.click(within(keys).getByRole('button', { name: 'Create a key' }));
    await userEvent.type(screen.getByLabelText('Name', { selector: '[role=dialog] input' }), 'Editor');
    await userEvent.type(screen.getByLabelText('Requests a minute'), '30');
    await userEvent.click(screen.getByRole('button', { name: 'Create the key' }));
    expect(await screen.findByLabelText('Key')).toHaveValue(SECRET);
    expect(screen.getByLabelText('Key')).toHaveFocus();
    expect(screen.getByText(/^curl /)).toHaveTextContent(
      `curl ${window.location.origin}/v1/chat/completions \\ -H 'Authorization: Bearer ${SECRET}'`,
    );
    expect(sent).toEqual([{ name: 'Editor', requests_per_minute: 30, tokens_per_minute: null }]);
    await userEvent.click(screen.getByRole('button', { name: 'Done' }));
    expect(await within(keys).findByText('cl-abcde…')).toBeInTheDocument();
    await waitFor(() => expect(document.body).not.toHaveTextContent(SECRET));
  });

  it('revoke a key once that was confirmed', async () => {
    serve();
    let items = [makeApiKey()];
    server.use(
      http.get('*/api/me/keys', () => HttpResponse.json({ items })),
      http.delete('*/api/me/keys/key-1', () => {
        items = [];
        return new HttpResponse(null, { status: 204 });
      }),
    );
    renderApp('/settings');
    await userEvent.click(await screen.findByRole('button', { name: 'Revoke Editor' }));
    const question = await screen.findByRole('alertdialog');
    expect(question).toHaveTextContent('cl-abcde…');
    await userEvent.click(within(question).getByRole('button', { name: 'Revoke' }));
    expect(await screen.findByText(/No key yet/)).toBeInTheDocument();
  });

  it('ask for the address, and for the password, before an account is deleted', async () => {
    serve();
    const sent: unknown[] = [];
    server.use(
      http.delete('*/api/me', async ({ request }) => {
        sent.push(await request.json());
        return sent.length === 1
          ? HttpResponse.json(
              { detail: 'This is not your password.', code: 'invalid_request', param: 'password' },
              { status: 400 },
            )
          : new HttpResponse(null, { status: 204 });
      }),
      http.get('*/api/auth/methods', () => HttpResponse.json({ auth_mode: 'accounts', oidc: null })),
    );
    renderApp('/settings');
    await userEvent.click(await screen.findByRole('button', { name: 'Delete account…' }));
    const sure = await screen.findByRole('button', { name: 'Delete for good' });
    expect(sure).toBeDisabled();
    await userEvent.type(screen.getByLabelText('Type a@example.org to confirm'), 'b@example.org');
    expect(sure).toBeDisabled();
    await userEvent.clear(screen.getByLabelText('Type a@example.org to confirm'));
    await userEvent.type(screen.getByLabelText('Type a@example.org to confirm'), 'A@example.org');
    await userEvent.type(screen.getByLabelText('Your password'), 'wrong{Enter}');
    expect(await screen.findByRole('alert')).toHaveTextContent('This is not your password.');
    expect(screen.getByLabelText('Your password')).toHaveAttribute('aria-invalid', 'true');
    await userEvent.type(screen.getByLabelText('Your password'), '!');
    await userEvent.click(sure);
    await waitFor(() => expect(window.location.pathname).toBe('/login'));
    expect(sent).toHaveLength(2);
  });

  it('cannot delete the account of a server for one, and say why', async () => {
    serve({ auth_mode: 'local', has_password: false });
    renderApp('/settings');
    expect(await region('Your data')).toHaveTextContent(/cannot be deleted: the server runs for one person/);
    expect(screen.queryByRole('button', { name: /Delete account/ })).not.toBeInTheDocument();
    expect(screen.queryByRole('region', { name: 'Password' })).not.toBeInTheDocument();
  });

  it('keep the consent to training, and say what it means', async () => {
    serve({ training_consent: true });
    renderApp('/settings');
    const consent = await screen.findByRole('switch', { name: 'Use what I write to improve the model' });
    expect(consent).toBeChecked();
    expect(consent).toHaveAccessibleDescription(/from the next weekly run on.*wrote before/);
    await userEvent.click(consent);
    await waitFor(() => expect(consent).not.toBeChecked());
    expect(await screen.findByText('Saved. The next weekly run goes by it.')).toBeInTheDocument();
  });

  it('say so when the present password is wrong, and empty the fields once it is changed', async () => {
    serve();
    let right = false;
    server.use(
      http.post('*/api/me/password', () =>
        right
          ? HttpResponse.json(makeMe({ auth_mode: 'accounts', has_password: true }))
          : HttpResponse.json(
              { detail: 'This is not your password.', code: 'invalid_request', param: 'current' },
              { status: 400 },
            ),
      ),
    );
    renderApp('/settings');
    await userEvent.type(await screen.findByLabelText('Present password'), 'what was it');
    await userEvent.type(screen.getByLabelText('New password'), 'correct horse battery{Enter}');
    expect(await screen.findByRole('alert')).toHaveTextContent('This is not your password.');
    right = true;
    await userEvent.click(screen.getByRole('button', { name: 'Change password' }));
    await waitFor(() => expect(screen.getByLabelText('Present password')).toHaveValue(''));
  });

  it('lead to the sign-in when the session has ended before something was saved', async () => {
    serve();
    server.use(
      http.patch('*/api/me', () => HttpResponse.json({ detail: 'Sign in.' }, { status: 401 })),
      http.get('*/api/auth/methods', () => HttpResponse.json({ auth_mode: 'accounts', oidc: null })),
    );
    renderApp('/settings');
    await userEvent.click(await screen.findByRole('switch'));
    await waitFor(() => expect(window.location.pathname).toBe('/login'));
    expect(new URLSearchParams(window.location.search).get('next')).toBe('/settings');
  });
});
