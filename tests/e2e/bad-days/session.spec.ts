import { account, ask } from '../fixtures';
import { takeIn } from '../history';
import { choosePassword, invite, PASSWORD, signIn, stranger } from '../people';
import { composer, endAll, expect, grows, test } from '../servers';

test.skip(() => account() === null, 'the server runs in local mode');
test.use({ allowedErrors: [/401 \(Unauthorized\)/] });

test('a session that ends in the middle of a thought costs nothing', async ({
  page,
  browser,
  baseURL,
  servers,
}) => {
  await page.goto('/');
  const { user, link } = await invite(page);
  const guest = await stranger(browser, baseURL);
  await choosePassword(guest, link);
  const id = await takeIn(guest, [{ question: 'Before', answer: 'An answer.' }]);
  await guest.goto(`/c/${id}`);
  await expect(guest.getByText('An answer.')).toBeVisible();
  await servers('sign-members-out');
  await ask(guest, 'and after');
  await expect(guest).toHaveURL(/\/login/);
  await signIn(guest, user.email, PASSWORD);
  await expect(guest).toHaveURL(new RegExp(`/c/${id}$`));
  await expect(composer(guest)).toHaveValue('and after');
  await composer(guest).press('Enter');
  await grows(guest);
  await endAll(guest);
  await guest.context().close();
});
