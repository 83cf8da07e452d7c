import { describe } from 'vitest';
import { describeLanguageSdk } from '../harness/language-cases.js';

describe('iii-sdk rust 0.25.0', () => {
  describeLanguageSdk('rust 0.25.0', 'SM-1');
});
