import { describe, expect, it } from 'vitest';
import type { AuditEntry } from '@/api/generated';
import { makeAuditEntry } from '@/testing/fixtures';
import { auditSentence } from './audit-sentence';

const sentence = (changes: Partial<AuditEntry>) => auditSentence(makeAuditEntry({ who: 'ada', ...changes }));

describe('the audit log', () => {
  it.each<[Partial<AuditEntry>, string]>([
    [{ action: 'user.create', subject: 'bob', details: { role: 'member' } }, 'ada made an account for bob'],
    [
      { action: 'user.create', subject: 'bob', details: { role: 'admin' } },
      'ada made an account for bob, as an admin',
    ],
    [{ action: 'user.update', subject: 'bob', details: { role: 'admin' } }, 'ada made bob an admin'],
    [{ action: 'user.update', subject: 'bob', details: { role: 'member' } }, 'ada made bob a member'],
    [{ action: 'user.update', subject: 'bob', details: { active: 'False' } }, 'ada deactivated bob'],
    [
      { action: 'user.update', subject: 'bob', details: { name: 'Bobby', active: 'True' } },
      'ada renamed bob to “Bobby” and activated bob',
    ],
    [{ action: 'user.update', subject: 'bob' }, 'ada changed the account of bob'],
    [{ action: 'user.link', subject: 'bob' }, 'ada made a password link for bob'],
    [{ action: 'user.delete', subject: 'bob' }, 'ada deleted the account of bob'],
    [{ action: 'model.rollback', subject: 'v7' }, 'ada rolled the model back to v7'],
  ])('says what %o was', (entry, words) => expect(sentence(entry)).toBe(words));

  it('names an action that it does not know by its code', () => {
    expect(sentence({ action: 'run.cancel', subject: 'run 7' })).toBe('ada did “run.cancel” to run 7');
    expect(sentence({ action: 'run.cancel', subject: '' })).toBe('ada did “run.cancel”');
  });

  it('outlives the account of who acted', () => {
    expect(sentence({ who: null, action: 'user.delete', subject: 'bob' })).toBe(
      'Somebody whose account is deleted deleted the account of bob',
    );
  });
});
