import { describe } from 'vitest';
import { describeLanguageSdk } from '../harness/language-cases.js';
import { PYTHON_LANGUAGE_SDKS } from '../harness/language-worker.js';

describe.each(PYTHON_LANGUAGE_SDKS)('iii-sdk %s', (sdk) => {
  describeLanguageSdk(sdk, 'SM-2');
});
