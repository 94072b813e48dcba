import { afterEach, describe, expect, it, vi } from 'vitest';
import { randomId } from './ids';

describe('randomId', () => {
  afterEach(() => vi.unstubAllGlobals());

  it('is a version 4 UUID where the page is not served securely, too', () => {
    const values = crypto.getRandomValues.bind(crypto);
    vi.stubGlobal('crypto', { getRandomValues: values });
    const ids = [randomId(), randomId()];
    for (const id of ids)
      expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(ids[0]).not.toBe(ids[1]);
  });
});
