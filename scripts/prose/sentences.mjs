/** Text between back-quotes counts as one word. */
const CODE = 'CODE';

/**
 * Splits text into sentences. A tag of a doc comment, an empty line and a list item begin a new one.
 *
 * @param {string} text
 * @returns {string[]}
 */
export function sentencesOf(text) {
  const withoutCode = text.replaceAll(/```[\s\S]*?```/g, '').replaceAll(/(`+)[^`]+?\1/g, CODE);
  return withoutCode
    .split(/\n\s*\n|\n\s*(?=[-*] |\d+\. |@[a-z])/)
    .filter((part) => !/^\s*@(type|typedef|template|import|returns? \{)/.test(part))
    .flatMap((part) => part.replaceAll(/\s+/g, ' ').split(/(?<=[.!?]["')]?) (?=["'(]?[A-Z0-9`])/))
    .map((sentence) => sentence.replace(/^([-*]|\d+\.|@[a-z]+( \{[^}]*\})?) /, '').trim())
    .filter((sentence) => sentence !== '');
}

/**
 * Returns the words of a sentence: what has a letter or a digit.
 *
 * @param {string} sentence
 */
export function wordsOf(sentence) {
  return sentence.split(/[\s/]+|…|—|–/).filter((word) => /[\p{L}\p{N}]/u.test(word));
}
