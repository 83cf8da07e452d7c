module.exports = require('../dist/kept-calls.js');
