module.exports = require('../dist/api/stream.js');
