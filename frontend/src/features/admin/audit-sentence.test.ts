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
    [{ action: 'model.promote', subject: 'v8' }, 'ada made v8 the champion'],
    [{ action: 'model.challenge', subject: 'v8' }, 'ada made v8 the challenger'],
    [{ action: 'model.end_challenge', subject: 'v8' }, 'ada ended the challenge of v8'],
    [{ action: 'training.exclude', subject: 'rating/7' }, 'ada excluded a rated answer (7) from training'],
    [
      { action: 'training.include', subject: 'document/7' },
      'ada included a source file (7) in training again',
    ],
    [
      { action: 'documents.upload', subject: 'tools', details: { new: 3, unfit: 1 } },
      'ada uploaded source files of tools: 3 new, 0 changed',
    ],
    [{ action: 'documents.erase', subject: 'tools/a.py' }, 'ada erased the file tools/a.py'],
  ])('says what %o was', (entry, words) => expect(sentence(entry)).toBe(words));

  it('names an action that it does not know by its code', () => {
    expect(sentence({ action: 'run.cancel', subject: 'run 7' })).toBe('ada did “run.cancel” to run 7');
    expect(sentence({ action: 'run.cancel', subject: '' })).toBe('ada did “run.cancel”');
  });

  it('knows when the weekly run acted, and nobody', () => {
    expect(sentence({ who: null, action: 'model.promote', subject: 'v8', details: { run_id: '7' } })).toBe(
      'The weekly run made v8 the champion',
    );
  });

  it('outlives the account of who acted', () => {
    expect(sentence({ who: null, action: 'user.delete', subject: 'bob' })).toBe(
      'Somebody whose account is deleted deleted the account of bob',
    );
  });
});
