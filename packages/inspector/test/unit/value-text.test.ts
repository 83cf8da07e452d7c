import { expect, it } from 'vitest';
import { valueText } from '../../src/json/value-text.js';

it.each([
  ['{"process":"main","id":"a","data":{"n":1.0,"data":2}}', '{"n":1.0,"data":2}'],
  ['{"data": [1, {"data": 3}] , "id":"data"}', '[1, {"data": 3}]'],
  ['{"id":"data","data":12345678901234567890}', '12345678901234567890'],
  ['{"id":"\\"data\\":1","data":"x,}"}', '"x,}"'],
])('of %s the value of data is %s', (text, value) => {
  expect(valueText(text, 'data')).toBe(value);
});

it.each(['', '[1]', '{"id":"data"}', '{"data":', 'data', '{"a":{"data":1}}'])('of %j there is none', (text) => {
  expect(valueText(text, 'data')).toBeUndefined();
});
