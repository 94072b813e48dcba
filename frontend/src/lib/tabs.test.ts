import { describe, expect, it, vi } from 'vitest';
import { tellOtherTabs, whenOtherTabsTell } from './tabs';

describe('tabs', () => {
  it('hear what they asked for, until they no longer want to', async () => {
    const [wanted, other] = [vi.fn(), vi.fn()];
    const ends = [whenOtherTabsTell('one', wanted), whenOtherTabsTell('two', other)];
    tellOtherTabs('one');
    await vi.waitFor(() => expect(wanted).toHaveBeenCalledTimes(1));
    expect(other).not.toHaveBeenCalled();
    for (const end of ends) end();
    const last = vi.fn();
    const end = whenOtherTabsTell('one', last);
    tellOtherTabs('one');
    await vi.waitFor(() => expect(last).toHaveBeenCalledTimes(1));
    expect(wanted).toHaveBeenCalledTimes(1);
    end();
  });
});
