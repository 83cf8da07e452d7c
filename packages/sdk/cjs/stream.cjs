module.exports = require('../dist/stream.js');
