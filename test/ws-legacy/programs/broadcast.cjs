var WebSocketServer = require('effect-ws/ws/legacy').Server
  , wss = new WebSocketServer({port: 8080});
  
wss.broadcast = function(data) {
	for(var i in this.clients)
		this.clients[i].send(data);
};
